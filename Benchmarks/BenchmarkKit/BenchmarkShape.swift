/// One attention problem to measure: sizes and a mask, under a name. Every one that exists is valid and fits in memory.
package struct BenchmarkShape: Sendable, Equatable {
  /// The masks that a shapes file can name.
  package enum Mask: String, Sendable, CaseIterable {
    /// Every query sees every key.
    case none
    /// `j <= i + Tk − Tq`: the last query stands on the last key.
    case causal
    /// The keys of each sequence end at its own length.
    case lengths
  }

  /// Unique in its file: letters, digits, `.`, `_` and `-`.
  package let name: String
  /// `B`
  package let batch: Int
  /// `Hq`, a multiple of ``keyValueHeads``.
  package let queryHeads: Int
  /// `Hkv`
  package let keyValueHeads: Int
  /// `Tq`
  package let queries: Int
  /// `Tk`
  package let keys: Int
  /// `D`
  package let headDim: Int
  /// `Dv`
  package let valueDim: Int
  /// What hides keys.
  package let mask: Mask
  /// One a sequence, where the mask is ``Mask/lengths``; else nil.
  package let keyLengths: [Int]?
  /// With a causal mask, how many keys before its own position a query sees; all when nil.
  package let leftWindowSize: Int?
  /// What the shape stands for.
  package let why: String
}

// MARK: - Useful work

extension BenchmarkShape {
  /// The keys that a query sees, written from the contract's text and not from the code under test.
  package func visibleKeys(sequence: Int, query: Int) -> Range<Int> {
    switch mask {
    case .none:
      return 0..<keys
    case .lengths:
      return 0..<(keyLengths?[sequence] ?? keys)
    case .causal:
      let position = query + keys - queries
      let upper = min(max(position + 1, 0), keys)
      let lower = leftWindowSize.map { max(position - $0, 0) } ?? 0
      return min(lower, upper)..<upper
    }
  }

  /// (query, key) pairs that are not masked, in one head of a sequence.
  package func visiblePairs(sequence: Int) -> Int {
    (0..<queries).reduce(0) { $0 + visibleKeys(sequence: sequence, query: $1).count }
  }

  /// What one call has to compute: a multiplication and an addition for each element of a visible pair's query and value.
  ///
  ///     2 · (D + Dv) · Hq · Σ visible pairs
  package var usefulFlops: Double {
    let pairs = (0..<batch).reduce(0.0) { $0 + Double(visiblePairs(sequence: $1)) }
    return 2 * Double(headDim + valueDim) * Double(queryHeads) * pairs
  }

  /// Keys of each sequence that some query sees: what has to be read at least once.
  func usedKeys(sequence: Int) -> Int {
    // Visible ranges move to the right with the query, so that the first and the last one bound them all.
    let first = visibleKeys(sequence: sequence, query: 0)
    return visibleKeys(sequence: sequence, query: queries - 1).upperBound - first.lowerBound
  }

  /// Bytes of the keys and values that some query sees, each read once.
  package func usefulKeyValueBytes(elementBytes: Int) -> Double {
    let rows = (0..<batch).reduce(0.0) { $0 + Double(usedKeys(sequence: $1)) }
    return rows * Double(keyValueHeads) * Double(headDim + valueDim) * Double(elementBytes)
  }

  /// Bytes of all keys and values, seen or not.
  package func keyValueBytes(elementBytes: Int) -> Double {
    Double(batch) * Double(keyValueHeads) * Double(keys) * Double(headDim + valueDim) * Double(elementBytes)
  }

  /// Bytes of queries, keys, values and output together.
  package func tensorBytes(elementBytes: Int) -> Double {
    keyValueBytes(elementBytes: elementBytes)
      + Double(batch) * Double(queryHeads) * Double(queries) * Double(headDim + valueDim)
      * Double(elementBytes)
  }
}
