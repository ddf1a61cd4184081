import Attention

/// One head of one sequence, summed up over all its queries.
public struct HeadSummary: Sendable {
  /// One weight, and whose it is.
  public struct Weight: Sendable, Equatable {
    /// `p[i,j]`
    public let weight: Double
    /// `i`
    public let query: Int
    /// `j`
    public let key: Int
  }

  /// Which sequence, counted from 0.
  public let sequence: Int

  /// Which query head, counted from 0.
  public let head: Int

  /// Queries that give some key a weight. Those that see no key count in no average.
  public let attendingQueries: Int

  /// The mass that each key received, `Σ_i p[i,j]`; all of it adds up to ``attendingQueries``, to less with sinks.
  public let mass: [Double]

  /// What each key contributed, `Σ_i ‖p[i,j] · v[j]‖`; 0 where it received no mass.
  public let contributionMass: [Double]

  /// The mean over queries of `−Σ_j p[i,j] ln p[i,j]`, in nats: 0 where each looks at one key, `ln n` where each looks at
  /// `n` keys alike. With sinks it is the keys' part of the sum. 0 where no query sees a key.
  public let entropy: Double

  /// The largest weight of all, the first of its size; nil where no query sees a key.
  public let largestWeight: Weight?

  /// The mean weight that went to the sink and not to any key, `1 − Σ_j p[i,j]`; 0 without sinks.
  public let sinkShare: Double

  /// The ``effectiveRank(of:)`` of the values that received mass from the head: a value that none of its queries sees, in
  /// padding for instance, has no part in it. NaN where one of them is not finite.
  public let effectiveRank: Double
}

extension HeadSummary: CustomStringConvertible {
  /// One line: the numbers, and the five keys that received most.
  public var description: String {
    func short(_ x: Double) -> String { "\((x * 1000).rounded() / 1000)" }
    let keys = mass.indices.sorted { (mass[$1], $0) < (mass[$0], $1) }.prefix(5)
    let received = keys.map { "\($0): \(short(mass[$0]))" }.joined(separator: ", ")
    let largest = largestWeight.map { "\(short($0.weight)) at \($0.query) → \($0.key)" } ?? "none"
    return
      "sequence \(sequence) head \(head): entropy \(short(entropy)) nats, effective rank \(short(effectiveRank)), "
      + "largest weight \(largest), most mass {\(received)}"
  }
}

extension AttentionInspector {
  /// Heads summed up over all their queries, in one pass over their weights.
  ///
  /// - Parameters:
  ///   - sequences: which sequences; all when nil.
  ///   - heads: which query heads of each; all when nil. Nothing is computed of others.
  /// - Returns: a summary each, head after head, sequence after sequence. They depend neither on what else was asked for nor on
  ///   the number of threads.
  /// - Throws: ``Attention/AttentionError`` where a sequence or a head is out of range, there is no memory for the result, or LAPACK finds
  ///   none, or no singular values.
  ///
  /// Time is that of computing the weights once, one logarithm for each weight that is not 0, and a decomposition of the `[Tk, Dv]`
  /// values; neighbouring heads that read the same ones share it. Memory: a block of weights (see ``AttentionInspector``); for each 64
  /// of its rows, or less, `Tk` Doubles of sums; a few matrices of `4096 + Dv` by `Dv` Doubles, see ``effectiveRank(of:)``; and `2 · Tk`
  /// Doubles a head for the result.
  public func summaries(
    sequences: Range<Int>? = nil, heads: Range<Int>? = nil
  ) throws(AttentionError) -> [HeadSummary] {
    let sequences = sequences ?? 0..<sequenceCount
    let heads = heads ?? 0..<headCount
    try check(sequences, named: "sequences", within: sequenceCount)
    try check(heads, named: "heads", within: headCount)
    // Axes beside one of length 0 may be of any length: there is nothing to walk along.
    if heads.isEmpty { return [] }
    try checkMemory(for: heads, of: sequences)
    var result: [HeadSummary] = []
    for sequence in sequences {
      var values: ValueFacts?
      for head in heads {
        result.append(try summary(sequence: sequence, head: head, &values))
      }
    }
    return result
  }

  /// Throws where there is no memory for so many summaries. Few inputs can ask for many: heads that share keys, or a batch without
  /// tokens.
  private func checkMemory(for heads: Range<Int>, of sequences: Range<Int>) throws(AttentionError) {
    let word = MemoryLayout<Double>.stride
    // Two arrays, with 32 bytes before each of their elements.
    let words = MemoryLayout<HeadSummary>.stride / word + 2 * (32 / word + keyCount)
    let (pairs, overflow) = sequences.count.multipliedReportingOverflow(by: heads.count)
    let bytes = pairs.multipliedReportingOverflow(by: words * word)
    guard !overflow, !bytes.overflow, Tensor<Double>.uninitialized([pairs, words]) != nil else {
      throw AttentionError(
        "heads",
        "\(heads) of sequences \(sequences) given, with \(keyCount) keys each, whose summaries are beyond this machine's memory"
      )
    }
  }

  private func summary(
    sequence: Int, head: Int, _ values: inout ValueFacts?
  ) throws(AttentionError) -> HeadSummary {
    var tally = HeadTally(keyCount: keyCount)
    try forEachBlock(sequence: sequence, head: head) { queries, weights in
      tally.add(weights, of: queries, on: pool)
    }
    var facts: ValueFacts
    if let values, values.keyValueHead == keyValueHead(of: head) {
      facts = values
    } else {
      facts = ValueFacts(
        keyValueHead: keyValueHead(of: head), norms: try valueNorms(sequence: sequence, head: head))
    }
    let seen = tally.mass.map { $0 != 0 }
    if seen != facts.seen {
      facts.seen = seen
      facts.effectiveRank = try effectiveRank(sequence: sequence, head: head, seen)
    }
    values = facts
    return HeadSummary(
      sequence: sequence, head: head, tally, facts, hasSinks: attention.options.sinks != nil)
  }

  /// The effective rank of the values that are seen; NaN where they are not finite.
  private func effectiveRank(sequence: Int, head: Int, _ seen: [Bool]) throws(AttentionError) -> Double {
    let values = try values(sequence: sequence, head: head)
    let rows = seen.indices.filter { seen[$0] }
    do {
      return spread(
        of: try singularValues(rows: rows, columns: valueWidth) { row, target in
          values.read(row) { target.update(from: $0.baseAddress ?? UnsafePointer(target), count: $0.count) }
        })
    } catch {
      if error.kind == .invalidArgument { return .nan }
      throw AttentionError(
        error.kind, "values", "sequence \(sequence), key/value head \(keyValueHead(of: head)): \(error)")
    }
  }
}

extension HeadSummary {
  /// What the rows of a head add up to, over values that these facts are about.
  fileprivate init(sequence: Int, head: Int, _ tally: HeadTally, _ values: ValueFacts, hasSinks: Bool) {
    let sums = tally.sums
    let queries = Double(max(1, sums.attending))
    // Rounded sums may exceed 1 by a little.
    let unspent = 1 - sums.weightSum / queries
    self.sequence = sequence
    self.head = head
    attendingQueries = sums.attending
    mass = tally.mass
    contributionMass = zip(tally.mass, values.norms).map { $0 == 0 ? 0 : $0 * $1 }
    entropy = sums.entropySum / queries
    largestWeight = sums.largest
    sinkShare = !hasSinks || sums.attending == 0 || unspent < 0 ? 0 : unspent
    effectiveRank = values.effectiveRank
  }
}

/// What heads that read the same values have in common.
private struct ValueFacts {
  let keyValueHead: Int
  let norms: [Double]
  /// The values that the last of these heads saw, and their effective rank; nil before the first.
  var seen: [Bool]?
  var effectiveRank = 0.0

  init(keyValueHead: Int, norms: [Double]) {
    self.keyValueHead = keyValueHead
    self.norms = norms
  }
}
