/// One sequence of a pool: how many tokens it has, and which pages hold their keys and values in all layers.
///
/// It grows by ``KeyValueStep`` alone. Its pages are given back when the last reference to it, to steps with it and to views of it
/// is gone.
///
/// `@unchecked Sendable`: `state` and `openStep` are touched under the lock of the pool's ledger alone.
public final class KeyValueSequence: @unchecked Sendable {
  /// The pool that the rows are in.
  public let pool: KeyValuePool
  var state: State
  /// Which step will change this sequence: the address of what its view says of the sequences, to be compared only.
  var openStep: UnsafeRawPointer?

  /// All that a sequence is; what beams hand to each other.
  struct State: Sendable {
    var list: PageList
    var count = 0
    /// The ids of the first tokens, as far as they are known.
    var tokens: [Int] = []
    var ring: RingWindow?
    var chain = PrefixChain()
  }

  init(_ pool: KeyValuePool, _ state: State) {
    self.pool = pool
    self.state = state
  }

  deinit {
    let (ledger, list) = (pool.ledger, state.list)
    ledger.withLock { ledger.release(list) }
  }

  /// How many tokens it has, the same for all layers; those of a ring included that left its window. An open step does not count.
  public var count: Int { pool.ledger.withLock { state.count } }

  /// The ids of its tokens, or nil where some were appended as counts, and for rings.
  public var tokens: [Int]? {
    pool.ledger.withLock { state.ring == nil && state.tokens.count == state.count ? state.tokens : nil }
  }

  /// The rows so far, as they will stay in this view. Holds their pages.
  public var view: CacheView { pool.view(of: [self]) }

  /// Another sequence with the same tokens. It shares all pages; the first of both to append copies nothing, and the other one the
  /// last page, where that is not full.
  ///
  /// - Throws: ``AttentionError`` while a step is open.
  ///
  /// Cost: some nanoseconds a page, and a copy of the list of tokens with the first append.
  public func fork() throws(AttentionError) -> KeyValueSequence {
    let ledger = pool.ledger
    let copy = try ledger.withLock { () throws(AttentionError) in
      try checkNoStep("fork()")
      var copy = state
      copy.list = ledger.copy(state.list, pages: state.list.count)
      return copy
    }
    return KeyValueSequence(pool, copy)
  }

  /// Drops tokens at the end; pages that hold nothing else are free then. Views that were taken before keep them.
  ///
  /// - Throws: ``AttentionError`` where `count` is negative or above ``count``, a step is open, or, in a ring, rows of the window before
  ///   `count` were overwritten, by a step that was dropped too. The sequence is unchanged then.
  public func truncate(to count: Int) throws(AttentionError) {
    let ledger = pool.ledger
    try ledger.withLock { () throws(AttentionError) in
      try checkNoStep("truncate(to:)")
      guard count >= 0, count <= state.count else {
        throw AttentionError("count", "\(count) given, expected 0 to the sequence's \(state.count)")
      }
      if count == state.count { return }
      if let ring = state.ring, count > 0, state.list.claimed > ring.capacity {
        let oldest = state.list.claimed - ring.turning
        guard ring.first(count) >= min(oldest, count) else {
          throw AttentionError(
            "count",
            "\(count) given, whose window begins at position \(ring.first(count)), expected rows that were not overwritten, \(oldest) on"
          )
        }
      } else {
        state.list = ledger.shorten(state.list, toPages: ledger.pages(of: count), rows: count)
        state.list.claimed = min(state.list.claimed, count)
      }
      state.count = count
      if state.tokens.count > count { state.tokens.removeLast(state.tokens.count - count) }
      ledger.shorten(&state.chain, rows: count)
    }
  }

  /// Drops all tokens; the same as truncation to 0.
  ///
  /// - Throws: ``AttentionError`` while a step is open.
  public func reset() throws(AttentionError) { try truncate(to: 0) }

  /// Sequence `i` becomes what sequence `parents[i]` was: the survivors of a beam search go on.
  ///
  /// - Parameters:
  ///   - sequences: of one pool, each once.
  ///   - parents: an index of `sequences` for each; any of them several times, or not at all.
  /// - Throws: ``AttentionError`` where they are as many, an index is out of range, a sequence comes twice or is of another pool, or a
  ///   step is open on one. Nothing is changed then.
  ///
  /// Copies no row. Cost: some nanoseconds a page of a sequence that others than the first take over.
  public static func reorder(
    _ sequences: [KeyValueSequence], by parents: [Int]
  ) throws(AttentionError) {
    guard parents.count == sequences.count else {
      throw AttentionError(
        "parents", "\(parents.count) given, expected one for each of \(sequences.count) sequences")
    }
    for parent in parents where !sequences.indices.contains(parent) {
      throw AttentionError("parents", "\(parent) given, expected 0..<\(sequences.count)")
    }
    guard let pool = sequences.first?.pool else { return }
    guard sequences.allSatisfy({ $0.pool === pool }) else {
      throw AttentionError("sequences", "sequences of several pools given, expected one pool's")
    }
    guard Set(sequences.map(ObjectIdentifier.init)).count == sequences.count else {
      throw AttentionError("sequences", "a sequence given twice, expected each once")
    }
    let ledger = pool.ledger
    try ledger.withLock { () throws(AttentionError) in
      for sequence in sequences { try sequence.checkNoStep("reorder(_:by:)") }
      let before = sequences.map(\.state)
      // Who takes a parent's list itself; a sequence its own, where it stays.
      var heir = [Int?](repeating: nil, count: parents.count)
      for (index, parent) in parents.enumerated() where heir[parent] == nil || parent == index {
        heir[parent] = index
      }
      for (index, parent) in parents.enumerated() {
        sequences[index].state = before[parent]
        if heir[parent] != index {
          sequences[index].state.list = ledger.copy(before[parent].list, pages: before[parent].list.count)
        }
      }
      for index in parents.indices where heir[index] == nil { ledger.release(before[index].list) }
    }
  }

  /// Under the lock.
  private func checkNoStep(_ call: String) throws(AttentionError) {
    guard openStep == nil else {
      throw AttentionError(
        "sequence", "\(call) of a sequence with an open step given, expected the step committed or dropped")
    }
  }
}

extension KeyValueSequence {
  /// The rows of several sequences so far, as they will stay in this view: what one call attends over. Holds their pages.
  ///
  /// - Parameter sequences: of one pool; the same one may come several times.
  /// - Throws: ``AttentionError`` where there are none, or some are of another pool.
  public static func view(of sequences: [KeyValueSequence]) throws(AttentionError) -> CacheView {
    guard let pool = sequences.first?.pool else {
      throw AttentionError("sequences", "none given, expected at least one")
    }
    if let index = sequences.firstIndex(where: { $0.pool !== pool }) {
      throw AttentionError(
        "sequences", "sequence \(index) of another pool given, expected the pool of sequence 0")
    }
    return pool.view(of: sequences)
  }
}

extension KeyValueSequence.State {
  /// What a view of a list sees, counted as one of its views. Under the lock.
  func rows(_ list: PageList, pageSize: Int, appending rows: Int) -> SequenceRows {
    let seen = SequenceRows(list, pageSize: pageSize, ring: ring, from: count, to: count + rows)
    list.holders += 1
    list.viewers += 1
    list.seen = max(list.seen, seen.slotEnd(ring))
    return seen
  }
}
