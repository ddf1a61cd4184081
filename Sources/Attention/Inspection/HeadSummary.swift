#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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

  /// The ``effectiveRank(of:)`` of the values that some query of the head's group sees: a value that no query sees, in
  /// padding for instance, has no part in it. NaN where one of them is not finite.
  public let effectiveRank: Double
}

extension AttentionInspector {
  /// All heads of all sequences, summed up in one pass over the weights.
  ///
  /// - Returns: `B · Hq` summaries, head after head, sequence after sequence. They do not depend on the number of threads.
  /// - Throws: ``AttentionError`` where LAPACK finds no memory, or no singular values.
  ///
  /// Time is that of computing the weights once, one logarithm for each weight that is not 0, and a decomposition of each
  /// key/value head's `[Tk, Dv]` values. Memory: a block of weights, and two numbers a key and head for the result.
  public func summaries() throws(AttentionError) -> [HeadSummary] {
    let (pairs, overflow) = sequenceCount.multipliedReportingOverflow(by: headCount)
    let (massCount, massOverflow) = pairs.multipliedReportingOverflow(by: keyCount)
    guard !overflow, !massOverflow, massCount <= Int.max / MemoryLayout<Double>.stride else {
      throw AttentionError(
        "keys", "shape \(keys.shape) and \(headCount) query heads ask for more numbers than fit an Int")
    }
    // Few inputs can ask for many masses: many query heads that share keys.
    guard var masses = Tensor<Double>.uninitialized([pairs, keyCount]) else {
      throw AttentionError(
        "keys",
        "shape \(keys.shape) and \(headCount) query heads ask for results beyond this machine's memory")
    }
    var tallies = [HeadTally](repeating: HeadTally(), count: pairs)
    try masses.withMutableView { (masses) throws(AttentionError) in
      masses.base.initialize(repeating: 0, count: massCount)
      try tallies.withUnsafeMutableBufferPointer { (tallies) throws(AttentionError) in
        try forEachBlock { block, weights in
          let weights = weights.contiguous()
          weights.withUnsafePointer { base in
            // A task has a head to itself and takes its rows in order: sums do not depend on who computes them.
            pool.run(pairs) { pair in
              for row in 0..<block.count {
                tallies[pair].add(
                  base + (pair * block.count + row) * keyCount, query: block.lowerBound + row,
                  to: masses.base + pair * keyCount, count: keyCount)
              }
            }
          }
        }
      }
    }
    return try summaries(tallies, masses.elements)
  }

  private func summaries(_ tallies: [HeadTally], _ masses: [Double]) throws(AttentionError) -> [HeadSummary] {
    var result: [HeadSummary] = []
    result.reserveCapacity(tallies.count)
    var ranks: [Double] = []
    for (pair, tally) in tallies.enumerated() {
      let (sequence, head) = pair.quotientAndRemainder(dividingBy: headCount)
      // Heads of a group share their values, and so their rank.
      let groupSize = headCount / keys.shape[1]
      if head.isMultiple(of: groupSize) {
        let seen = (0..<keyCount).map { key in
          (pair..<pair + groupSize).contains { masses[$0 * keyCount + key] != 0 }
        }
        ranks.append(try effectiveRank(sequence: sequence, head: head, seen))
      }
      let mass = Array(masses[pair * keyCount..<(pair + 1) * keyCount])
      let norms = try valueNorms(sequence: sequence, head: head)
      let queries = Double(max(1, tally.attending))
      // Rounded sums may exceed 1 by a little.
      let unspent = 1 - tally.weightSum / queries
      result.append(
        HeadSummary(
          sequence: sequence, head: head, attendingQueries: tally.attending, mass: mass,
          contributionMass: zip(mass, norms).map { $0 == 0 ? 0 : $0 * $1 },
          entropy: tally.entropySum / queries, largestWeight: tally.largest,
          sinkShare: options.sinks == nil || tally.attending == 0 || unspent < 0 ? 0 : unspent,
          effectiveRank: ranks[pair / groupSize]))
    }
    return result
  }

  /// The effective rank of the values that are seen; NaN where they are not finite.
  private func effectiveRank(sequence: Int, head: Int, _ seen: [Bool]) throws(AttentionError) -> Double {
    let values = values(sequence: sequence, head: head)
    do {
      return spread(of: try singularValues(of: values, counting: { seen[$0] }))
    } catch {
      if case .invalidArgument = error { return .nan }
      throw AttentionError(
        "values", "sequence \(sequence), key/value head \(keyValueHead(of: head)): \(error)")
    }
  }
}

/// The running sums of one head.
private struct HeadTally {
  var attending = 0
  var weightSum = 0.0
  var entropySum = 0.0
  var largest: HeadSummary.Weight?

  /// Adds one row of weights.
  @_specialize(where W == Float)
  @_specialize(where W == Double)
  mutating func add<W: FloatingPointElement>(
    _ row: UnsafePointer<W>, query: Int, to mass: UnsafeMutablePointer<Double>, count: Int
  ) {
    var sum = 0.0
    var entropy = 0.0
    var largest = self.largest?.weight ?? 0
    var largestKey: Int?
    for key in 0..<count {
      let weight = row[key].doubleValue
      // 0 · ln 0 is 0.
      if weight == 0 { continue }
      mass[key] += weight
      sum += weight
      entropy -= weight * log(weight)
      if weight > largest {
        largest = weight
        largestKey = key
      }
    }
    if sum == 0 { return }
    attending += 1
    weightSum += sum
    // A weight a rounding above 1 has a logarithm above 0. Not max(): it would hide NaN.
    entropySum += entropy < 0 ? 0 : entropy
    if let largestKey { self.largest = HeadSummary.Weight(weight: largest, query: query, key: largestKey) }
  }
}
