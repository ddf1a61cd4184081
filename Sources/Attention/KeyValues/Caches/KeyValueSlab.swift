import Synchronization

/// Keys and values of one sequence, or of a batch, each in one piece: a cache without pages to think of.
///
///     let slab = try KeyValueSlab(layers: 30, heads: 3, depth: 64, keys: .bfloat16, values: .bfloat16, capacity: 512)
///     let step = try slab.step(appending: [prompt])
///
/// It is a pool whose pages hold a whole sequence. One that grows moves to a pool of twice the capacity, which copies its rows; views
/// from before keep the memory that they see.
public final class KeyValueSlab: Sendable {
  /// Sequences in the slab.
  public let batch: Int
  /// Whether it moves to more memory where an append does not fit.
  public let isGrowing: Bool
  let content: Mutex<Content>

  struct Content {
    var pool: KeyValuePool
    var sequences: [KeyValueSequence]
  }

  /// - Parameters:
  ///   - layers: how many layers append to a sequence together.
  ///   - heads: `Hkv`.
  ///   - depth: `D`, the width of a key.
  ///   - width: `Dv`, the width of a value; `depth` when nil.
  ///   - keys: what keys are stored in; all but `int4`.
  ///   - values: what values are stored in; all but `planes`.
  ///   - batch: how many sequences.
  ///   - capacity: rows of a sequence, at first.
  ///   - growing: whether it takes twice as many where they do not suffice.
  /// - Throws: ``AttentionError`` as ``KeyValuePool`` does.
  public init(
    layers: Int, heads: Int, depth: Int, width: Int? = nil, keys: KeyValueType, values: KeyValueType,
    batch: Int = 1, capacity: Int, growing: Bool = true
  ) throws(AttentionError) {
    guard (1...CacheLayout.mostRows).contains(batch) else {
      throw AttentionError("batch", "\(batch) given, expected 1 to \(CacheLayout.mostRows)")
    }
    guard (1...CacheLayout.mostRows).contains(capacity) else {
      throw AttentionError("capacity", "\(capacity) given, expected 1 to \(CacheLayout.mostRows)")
    }
    let layout = try CacheLayout(
      layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: values,
      pageSize: capacity, pages: batch)
    let pool = try KeyValuePool(layout, sharesPrefixes: false)
    self.batch = batch
    isGrowing = growing
    content = Mutex(Content(pool: pool, sequences: (0..<batch).map { _ in pool.makeSequence() }))
  }

  /// Rows of a sequence that there is room for.
  public var capacity: Int { content.withLock { $0.pool.pageSize } }

  /// What one token takes in all layers, its scales included.
  public var bytesPerToken: Int { content.withLock { $0.pool.bytesPerToken } }

  /// How many tokens each sequence has.
  public var counts: [Int] { content.withLock { $0.sequences.map(\.count) } }

  /// The rows of all sequences so far, as they will stay in this view. Holds their memory.
  public var view: CacheView { content.withLock { $0.pool.view(of: $0.sequences) } }

  /// Drops tokens at the end of a sequence; views that were taken before keep them.
  ///
  /// - Throws: ``AttentionError`` where there is no such sequence, `count` is not one from 0 to its tokens, or a step is open.
  public func truncate(_ sequence: Int = 0, to count: Int) throws(AttentionError) {
    guard (0..<batch).contains(sequence) else {
      throw AttentionError("sequence", "\(sequence) given, expected 0..<\(batch)")
    }
    try content.withLock { (content) throws(AttentionError) in
      try content.sequences[sequence].truncate(to: count)
    }
  }

  /// Sequence `i` becomes what sequence `parents[i]` was, as ``KeyValueSequence/reorder(_:by:)``. Those that share rows are copied
  /// with the next append.
  public func reorder(by parents: [Int]) throws(AttentionError) {
    try content.withLock { (content) throws(AttentionError) in
      try KeyValueSequence.reorder(content.sequences, by: parents)
    }
  }

  /// A step that appends tokens to all sequences.
  ///
  /// - Parameter tokens: the ids that each appends; empty for none.
  /// - Throws: ``AttentionError`` where there is not one list for each sequence, a step is open, or the rows do not fit and the slab does
  ///   not grow, or has no memory to grow. Nothing is changed then.
  public func step(appending tokens: [[Int]]) throws(AttentionError) -> KeyValueStep {
    try step(tokens.map(\.count)) { (sequences) throws(AttentionError) in
      try KeyValueStep(sequences, appending: tokens)
    }
  }

  /// A step that appends so many tokens to each sequence.
  ///
  /// - Throws: ``AttentionError`` as with ids, and where a count is negative.
  public func step(appending counts: [Int]) throws(AttentionError) -> KeyValueStep {
    try step(counts) { (sequences) throws(AttentionError) in
      try KeyValueStep(sequences, appending: counts)
    }
  }
}

// MARK: - Growth

extension KeyValueSlab {
  private func step(
    _ counts: [Int], _ make: ([KeyValueSequence]) throws(AttentionError) -> KeyValueStep
  ) throws(AttentionError) -> KeyValueStep {
    try content.withLock { (content) throws(AttentionError) in
      guard counts.count == batch else {
        throw AttentionError(
          "appending", "\(counts.count) given, expected one for each of \(batch) sequences")
      }
      var longest = 0
      for (sequence, count) in zip(content.sequences, counts) {
        guard (0...CacheLayout.mostRows).contains(count) else {
          throw AttentionError("appending", "\(count) tokens given, expected 0 to \(CacheLayout.mostRows)")
        }
        longest = max(longest, sequence.count + count)
      }
      let capacity = content.pool.pageSize
      if longest <= capacity {
        do throws(AttentionError) { return try make(content.sequences) } catch {
          // No page for a copy of rows that views, or other sequences, see: all move to fresh memory instead.
          guard error.kind == .outOfMemory else { throw error }
        }
      } else if !isGrowing {
        throw AttentionError(
          .outOfMemory, "appending",
          "\(longest) rows of a sequence given, expected at most the capacity of \(capacity)")
      }
      guard longest <= CacheLayout.mostRows else {
        throw AttentionError(
          "appending", "\(longest) rows of a sequence given, expected at most \(CacheLayout.mostRows)")
      }
      let grown = longest <= capacity ? capacity : min(max(longest, 2 * capacity), CacheLayout.mostRows)
      let moved = try content.pool.moved(content.sequences, pageSize: grown)
      let step = try make(moved.sequences)
      content = Content(pool: moved.pool, sequences: moved.sequences)
      return step
    }
  }
}

extension KeyValuePool {
  /// One view of several sequences.
  func view(of sequences: [KeyValueSequence]) -> CacheView {
    let rows = UnsafeMutablePointer<SequenceRows>.allocate(capacity: sequences.count)
    let lists = ledger.withLock {
      for (index, sequence) in sequences.enumerated() {
        let seen = sequence.state.rows(sequence.state.list, pageSize: pageSize, appending: 0)
        (rows + index).initialize(to: seen)
      }
      return sequences.map(\.state.list)
    }
    return CacheView(self, rows, lists)
  }

  /// A pool of one page a sequence with copies of the sequences of this one, which has such pages too.
  func moved(
    _ sequences: [KeyValueSequence], pageSize: Int
  ) throws(AttentionError) -> (pool: KeyValuePool, sequences: [KeyValueSequence]) {
    for (index, sequence) in sequences.enumerated() where ledger.withLock({ sequence.openStep != nil }) {
      throw AttentionError(
        "sequences", "sequence \(index) with an open step given, expected that committed or dropped")
    }
    let grown = try KeyValuePool(
      CacheLayout(
        layers: layers, heads: heads, depth: depth, width: width, keys: keyType, values: valueType,
        pageSize: pageSize, pages: pages), sharesPrefixes: false)
    // The views hold what is copied while it is.
    let view = view(of: sequences)
    let copies = sequences.indices.map { index in
      let state = ledger.withLock { sequences[index].state }
      let list = PageList(capacity: 1)
      if state.count > 0 {
        list.append(grown.ledger.withLock { grown.ledger.take(written: state.count) })
        for layer in 0..<layers {
          view.keys(layer: layer).copy(
            rows: state.count, page: Int(view.sequences[index].pages[0]), heads: heads,
            to: grown.layout.keys.rows(layer: layer, in: grown.memory), page: Int(list.entries[0]))
          view.values(layer: layer).copy(
            rows: state.count, page: Int(view.sequences[index].pages[0]), heads: heads,
            to: grown.layout.values.rows(layer: layer, in: grown.memory), page: Int(list.entries[0]))
        }
      }
      return KeyValueSequence(
        grown, KeyValueSequence.State(list: list, count: state.count, tokens: state.tokens))
    }
    return (grown, copies)
  }
}
