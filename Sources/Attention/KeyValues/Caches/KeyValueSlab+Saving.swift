extension KeyValueSlab {
  /// Writes one sequence to a file, as ``KeyValueSequence/save(to:)`` does; pools and slabs load each other's.
  ///
  /// - Throws: ``AttentionError`` where there is no such sequence, or the file cannot be written.
  public func save(_ sequence: Int = 0, to path: String) throws(AttentionError) {
    try check(sequence)
    try content.withLock { $0.sequences[sequence] }.save(to: path)
  }

  /// One sequence becomes what was saved, as ``KeyValuePool/load(from:)`` brings it; views that were taken before keep what they see.
  ///
  /// - Throws: ``AttentionError`` where there is no such sequence, it has an open step, the file is refused or has a ring, or the rows do
  ///   not fit and the slab does not grow, or has no memory to grow. Nothing is changed then.
  ///
  /// Into a sequence that has rows already, or where the slab has to grow, all sequences move to fresh memory, which takes a copy of each.
  public func load(_ sequence: Int = 0, from path: String) throws(AttentionError) {
    try check(sequence)
    try content.withLock { (content) throws(AttentionError) in
      let (pool, old) = (content.pool, content.sequences[sequence])
      guard pool.ledger.withLock({ old.openStep == nil }) else {
        throw AttentionError(
          "sequence", "load of a sequence with an open step given, expected the step committed or dropped")
      }
      let cache = try pool.checked(path)
      guard cache.saved.ring == nil else {
        throw AttentionError("path", "a ring given, expected a sequence of all rows")
      }
      let (count, capacity) = (cache.saved.count, pool.pageSize)
      if count <= capacity, count == 0 || pool.freePages > 0 {
        content.sequences[sequence] = try pool.place(cache)
        return
      }
      guard count <= capacity || isGrowing else {
        throw AttentionError(
          .outOfMemory, "path", "\(count) rows given, expected at most the capacity of \(capacity)")
      }
      let grown = count <= capacity ? capacity : min(max(count, 2 * capacity), CacheLayout.mostRows)
      var moved = try pool.moved(content.sequences, pageSize: grown)
      try moved.sequences[sequence].reset()
      moved.sequences[sequence] = try moved.pool.place(cache)
      content = Content(pool: moved.pool, sequences: moved.sequences)
    }
  }

  private func check(_ sequence: Int) throws(AttentionError) {
    guard (0..<batch).contains(sequence) else {
      throw AttentionError("sequence", "\(sequence) given, expected 0..<\(batch)")
    }
  }
}
