/// How long attention over the nodes of a cluster takes, from what one node does in a second and what its link carries. Nothing is measured here.
///
/// A message of `b` bytes takes `latency + b / rate` on the link of whom it reaches, and messages of one link follow each other; sending and receiving do not
/// disturb each other. Gathering `b` bytes from each of `P` ranks takes `⌈log₂ P⌉ · latency + (P − 1) · b / rate`. Every call begins with such a gathering of
/// ``agreementBytes``.
package struct ClusterModel: Hashable, Sendable {
  /// What a node does in a second.
  package struct Rates: Hashable, Sendable {
    /// Floating-point operations of prefill: `2 · (D + Dv)` a pair of a query and a key that it sees, for each query head.
    package var operations: Double
    /// Bytes of keys and values that decode reads.
    package var keyBytes: Double
    /// Numbers of partial outputs that are merged into what has come so far.
    package var mergedNumbers: Double

    package init(operations: Double, keyBytes: Double, mergedNumbers: Double) {
      (self.operations, self.keyBytes, self.mergedNumbers) = (operations, keyBytes, mergedNumbers)
    }
  }

  /// What connects a node with all others.
  package struct Link: Hashable, Sendable {
    /// Bytes a second in each direction.
    package var bytes: Double
    /// Seconds until a message without bytes is there.
    package var latency: Double

    package init(bytes: Double, latency: Double) { (self.bytes, self.latency) = (bytes, latency) }
  }

  /// How long a rank takes.
  package struct Time: Hashable, Sendable {
    /// From beginning to end.
    package var seconds: Double
    /// How long of it the rank waits for messages with nothing to compute.
    package var waiting: Double

    package init(seconds: Double, waiting: Double) { (self.seconds, self.waiting) = (seconds, waiting) }
  }

  /// A rank's attention over one block of keys.
  package struct Block: Hashable, Sendable {
    /// See ``Rates/operations``.
    package var operations = 0.0
    /// See ``Rates/mergedNumbers``.
    package var mergedNumbers = 0.0
    /// What comes before it can begin.
    package var bytes = 0
    package var messages = 0

    package init(operations: Double, mergedNumbers: Double, bytes: Int = 0, messages: Int = 0) {
      (self.operations, self.mergedNumbers) = (operations, mergedNumbers)
      (self.bytes, self.messages) = (bytes, messages)
    }
  }

  package let rates: Rates
  package let link: Link

  package init(_ rates: Rates, _ link: Link) { (self.rates, self.link) = (rates, link) }

  /// What ranks say to each other before a call.
  package static let agreementBytes = 32

  // MARK: - Ways

  /// The ring: own blocks first; of those that come, two are on their way at most, and each is computed when it is there and the one before it is done.
  ///
  ///     there(i) = max(there(i − 1), done(i − 2)) + message(i)
  ///     done(i)  = max(done(i − 1), there(i)) + compute(i)
  package func ring(own: [Block], arriving: [Block], ranks: Int) -> Time {
    let start = gathering(Self.agreementBytes, ranks: ranks)
    var waiting = start
    var done = own.reduce(start) { $0 + seconds(of: $1) }
    var there = start
    // Since when each of the two rooms for messages is free.
    var free = [start, start]
    for (index, block) in arriving.enumerated() {
      there = max(there, free[index % 2]) + seconds(bytes: block.bytes, messages: block.messages)
      waiting += max(0, there - done)
      done = max(done, there) + seconds(of: block)
      free[index % 2] = done
    }
    return Time(seconds: done, waiting: waiting)
  }

  /// Heads: queries, keys and values turn to heads, one call computes, results turn back.
  ///
  /// - Parameters:
  ///   - operations: of this rank's heads over all rows.
  ///   - bytes: that the rank sends.
  ///   - messages: likewise.
  package func heads(operations: Double, bytes: Int, messages: Int, ranks: Int) -> Time {
    let waiting =
      gathering(Self.agreementBytes, ranks: ranks) + seconds(bytes: bytes, messages: messages)
    return Time(seconds: waiting + operations / rates.operations, waiting: waiting)
  }

  /// The tree: each rank reads its keys, all gather the partial results and merge them.
  ///
  /// - Parameters:
  ///   - keyBytes: keys and values of this rank.
  ///   - resultBytes: the partial result of a rank.
  ///   - mergedNumbers: of one partial result.
  package func tree(keyBytes: Int, resultBytes: Int, mergedNumbers: Int, ranks: Int) -> Time {
    let waiting =
      gathering(Self.agreementBytes, ranks: ranks) + gathering(resultBytes, ranks: ranks)
    let merging = Double(ranks > 1 ? ranks * mergedNumbers : 0) / rates.mergedNumbers
    return Time(seconds: waiting + Double(keyBytes) / rates.keyBytes + merging, waiting: waiting)
  }

  // MARK: - Parts

  private func seconds(of block: Block) -> Double {
    block.operations / rates.operations + block.mergedNumbers / rates.mergedNumbers
  }

  private func seconds(bytes: Int, messages: Int) -> Double {
    Double(messages) * link.latency + Double(bytes) / link.bytes
  }

  private func gathering(_ bytes: Int, ranks: Int) -> Double {
    if ranks <= 1 { return 0 }
    let rounds = Int.bitWidth - (ranks - 1).leadingZeroBitCount
    return Double(rounds) * link.latency + Double((ranks - 1) * bytes) / link.bytes
  }
}
