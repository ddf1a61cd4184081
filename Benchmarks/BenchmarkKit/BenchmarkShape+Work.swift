// What a shape asks for, counted from the contract's text and not by the code under test.

// MARK: - Rows

extension BenchmarkShape {
  /// Query rows of a sequence that exist in memory, padding included.
  package func storedQueries(sequence: Int) -> Int {
    storage.layout == .packed ? queryLength(sequence: sequence) : sizes.queries
  }

  /// Key rows of a sequence that exist in memory, padding included.
  package func storedKeys(sequence: Int) -> Int {
    storage.layout == .packed ? keyLength(sequence: sequence) : sizes.keys
  }

  /// Query rows of all sequences together.
  package var storedQueries: Int {
    storage.layout == .packed
      ? (0..<sizes.batch).reduce(0) { $0 + queryLength(sequence: $1) } : sizes.batch * sizes.queries
  }

  /// Key rows of all sequences together.
  package var storedKeys: Int {
    storage.layout == .packed
      ? (0..<sizes.batch).reduce(0) { $0 + keyLength(sequence: $1) } : sizes.batch * sizes.keys
  }

  private func queryLength(sequence: Int) -> Int { storage.queryLengths?[sequence] ?? sizes.queries }

  private func keyLength(sequence: Int) -> Int { storage.keyLengths?[sequence] ?? sizes.keys }
}

// MARK: - Visible keys

extension BenchmarkShape {
  /// Where a query stands among the keys of its sequence: the last query on the last key.
  package func position(sequence: Int, query: Int) -> Int {
    query + keyLength(sequence: sequence) - queryLength(sequence: sequence)
  }

  /// The keys that a query sees.
  package func visibleKeys(sequence: Int, query: Int) -> Range<Int> {
    guard query < queryLength(sequence: sequence) else { return 0..<0 }
    let end = keyLength(sequence: sequence)
    switch mask.kind {
    case .none, .lengths:
      return 0..<end
    case .causal:
      let position = position(sequence: sequence, query: query)
      let upper = min(max(position + 1, 0), end)
      let lower = mask.leftWindowSize.map { max(position - $0, 0) } ?? 0
      return min(lower, upper)..<upper
    }
  }

  /// Whether some query sees no key at all. Later ones see more: the first tells.
  package var hasBlindQueries: Bool {
    (0..<sizes.batch).contains {
      queryLength(sequence: $0) > 0 && visibleKeys(sequence: $0, query: 0).isEmpty
    }
  }

  /// (query, key) pairs that are not masked, in one head of a sequence.
  package func visiblePairs(sequence: Int) -> Int {
    (0..<queryLength(sequence: sequence)).reduce(0) { $0 + visibleKeys(sequence: sequence, query: $1).count }
  }

  /// Keys of each sequence that some query sees: what has to be read at least once.
  func usedKeys(sequence: Int) -> Int {
    let count = queryLength(sequence: sequence)
    if count == 0 { return 0 }
    // Visible ranges move to the right with the query, so that the first and the last one bound them all.
    let first = visibleKeys(sequence: sequence, query: 0)
    return visibleKeys(sequence: sequence, query: count - 1).upperBound - first.lowerBound
  }
}

// MARK: - Operations and bytes

extension BenchmarkShape {
  /// What one call has to compute: a multiplication and an addition for each element of a visible pair's query and value.
  ///
  ///     2 · (D + Dv) · Hq · Σ visible pairs
  package var usefulFlops: Double {
    let pairs = (0..<sizes.batch).reduce(0.0) { $0 + Double(visiblePairs(sequence: $1)) }
    return 2 * Double(sizes.headDim + sizes.valueDim) * Double(sizes.queryHeads) * pairs
  }

  /// Bytes of the keys and values that some query sees, each read once.
  package func usefulKeyValueBytes(elementBytes: Int) -> Double {
    let rows = (0..<sizes.batch).reduce(0.0) { $0 + Double(usedKeys(sequence: $1)) }
    return rows * Double(sizes.keyValueHeads) * Double(sizes.headDim + sizes.valueDim) * Double(elementBytes)
  }

  /// Bytes of all keys and values, seen or not.
  package func keyValueBytes(elementBytes: Int) -> Double {
    Double(storedKeys) * Double(sizes.keyValueHeads) * Double(sizes.headDim + sizes.valueDim)
      * Double(elementBytes)
  }

  /// Bytes of queries, keys, values and so many outputs together.
  package func tensorBytes(elementBytes: Int, outputs: Int = 1) -> Double {
    let width = Double(sizes.headDim) + Double(outputs) * Double(sizes.valueDim)
    return keyValueBytes(elementBytes: elementBytes)
      + Double(storedQueries) * Double(sizes.queryHeads) * width * Double(elementBytes)
  }
}
