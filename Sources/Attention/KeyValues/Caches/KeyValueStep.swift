import Synchronization

/// What a model appends to some sequences in one pass through its layers: all of it, or nothing.
///
///     let step = try KeyValueStep([a, b], appending: [[17], prompt])
///     for layer in 0..<pool.layers { try step.write(layer: layer, keys: k, values: v, rotary: rotary) }    // and attend, over step.view
///     try step.commit()
///
/// A step has its pages from the start, so that no layer finds the pool full. Until it is committed its sequences stay as they were;
/// a step that is dropped, or cancelled, leaves no trace in any layer.
///
/// Several threads may write different layers at once. Steps on different sequences are independent.
public final class KeyValueStep: Sendable {
  /// The pool of all sequences.
  public let pool: KeyValuePool
  /// In the order in which rows are packed.
  public let sequences: [KeyValueSequence]
  /// Rows that the step appends, of all sequences together.
  public let totalRows: Int
  /// The first packed row of each sequence, and ``totalRows``.
  let starts: [Int]
  private let reservations: [Reservation]
  /// Ids of the appended tokens, nil where they came as counts.
  private let tokens: [[Int]]?
  private let progress: Mutex<Progress>

  private struct Progress {
    /// Nil once the step is committed or cancelled.
    var view: CacheView?
    var isEnding = false
    var layers: [LayerProgress]
    var writers = 0
  }

  private enum LayerProgress { case missing, written }

  /// A step that appends tokens.
  ///
  /// - Parameters:
  ///   - sequences: of one pool, each once.
  ///   - tokens: the ids that each appends, which others may then reuse; empty for none.
  /// - Throws: ``AttentionError`` where the arrays are not equally long, a sequence comes twice, is of another pool, has an open step or
  ///   is a ring whose longest append is exceeded, or the pool has not enough pages. Nothing is changed then.
  ///
  /// Copies a page where it is partly filled and a fork has appended to it before, and nothing else.
  public convenience init(
    _ sequences: [KeyValueSequence], appending tokens: [[Int]]
  ) throws(AttentionError) {
    try self.init(sequences, counts: tokens.map(\.count), tokens: tokens)
  }

  /// A step that appends tokens whose ids the pool does not know: they take no part in the reuse of prefixes, and neither does what
  /// follows them.
  ///
  /// - Parameters:
  ///   - sequences: of one pool, each once.
  ///   - counts: how many tokens each appends, 0 or more.
  /// - Throws: ``AttentionError`` as with ids, and where a count is negative.
  public convenience init(
    _ sequences: [KeyValueSequence], appending counts: [Int]
  ) throws(AttentionError) {
    try self.init(sequences, counts: counts, tokens: nil)
  }

  private init(
    _ sequences: [KeyValueSequence], counts: [Int], tokens: [[Int]]?
  ) throws(AttentionError) {
    guard counts.count == sequences.count else {
      throw AttentionError(
        "appending", "\(counts.count) given, expected one for each of \(sequences.count) sequences")
    }
    guard let pool = sequences.first?.pool else {
      throw AttentionError("sequences", "none given, expected at least one")
    }
    for (index, sequence) in sequences.enumerated() where sequence.pool !== pool {
      throw AttentionError(
        "sequences", "sequence \(index) of another pool given, expected the pool of sequence 0")
    }
    var starts: [Int] = []
    starts.reserveCapacity(counts.count + 1)
    var total = 0
    for (index, count) in counts.enumerated() {
      guard (0...CacheLayout.mostRows).contains(count), total <= CacheLayout.mostRows - count else {
        throw AttentionError(
          "appending",
          "\(count) tokens to sequence \(index) given, expected 0 or more, and \(CacheLayout.mostRows) at most in all"
        )
      }
      starts.append(total)
      total += count
    }
    starts.append(total)
    let rows = UnsafeMutablePointer<SequenceRows>.allocate(capacity: sequences.count)
    let reserved: Reserved
    do throws(AttentionError) {
      reserved = try pool.ledger.reserve(sequences, counts, rows, for: UnsafeRawPointer(rows))
    } catch {
      rows.deallocate()
      throw error
    }
    let view = CacheView(pool, rows, reserved.reservations.map(\.list))
    pool.copy(reserved.copies)
    self.pool = pool
    self.sequences = sequences
    self.tokens = tokens
    self.starts = starts
    totalRows = total
    reservations = reserved.reservations
    progress = Mutex(Progress(view: view, layers: Array(repeating: .missing, count: pool.layers)))
  }

  deinit { end(commit: false) }

  /// What the step's queries see: the rows of each sequence, the appended ones included, once their layer is written. Build it into the
  /// calls of all layers.
  ///
  /// - Throws: ``AttentionError`` after the step was committed or cancelled.
  public var view: CacheView {
    get throws(AttentionError) {
      guard let view = progress.withLock({ $0.view }) else { throw Self.ended }
      return view
    }
  }

  /// How many tokens a sequence of the step appends.
  ///
  /// - Precondition: `sequence` is an index of ``sequences``.
  public func rowCount(_ sequence: Int) -> Int { starts[sequence + 1] - starts[sequence] }
}

// MARK: - Ends

extension KeyValueStep {
  /// Makes the appended tokens part of their sequences, all of them at once.
  ///
  /// - Throws: ``AttentionError`` where a layer was not written, is being written, or the step is committed or cancelled. The step stays
  ///   open then, but for the last.
  public func commit() throws(AttentionError) {
    try progress.withLock { (progress) throws(AttentionError) in
      guard progress.view != nil, !progress.isEnding else { throw Self.ended }
      guard progress.writers == 0 else {
        throw AttentionError("step", "commit() during a write given, expected all writes done")
      }
      if totalRows > 0, let layer = progress.layers.firstIndex(of: .missing) {
        throw AttentionError(
          "step", "a step without layer \(layer) given, expected all \(pool.layers) layers written")
      }
      progress.isEnding = true
    }
    end(commit: true)
  }

  /// Gives everything back, in all layers; nothing happens where the step is committed or cancelled. Dropping the step does the same.
  public func cancel() {
    let mayEnd = progress.withLock { progress in
      if progress.view == nil || progress.isEnding { return false }
      progress.isEnding = true
      // The last write that is under way ends the step.
      return progress.writers == 0
    }
    if mayEnd { end(commit: false) }
  }

  private func end(commit: Bool) {
    // Out of the lock: the end of a view takes the ledger's.
    var view = progress.withLock { $0.view.take() }
    if view == nil { return }
    view = nil
    pool.ledger.withLock {
      for (index, sequence) in sequences.enumerated() {
        sequence.openStep = nil
        if commit {
          pool.ledger.commit(reservations[index], tokens?[index], &sequence.state)
        } else {
          pool.ledger.giveBack(reservations[index], &sequence.state)
        }
      }
    }
  }

  private static var ended: AttentionError {
    AttentionError("step", "a step that was committed or cancelled given, expected an open one")
  }
}

// MARK: - Writes

extension KeyValueStep {
  /// Calls `body`, which writes a layer, while the step cannot end. The layer counts as written where it returns.
  func write(layer: Int, _ body: (CacheView) throws(AttentionError) -> Void) throws(AttentionError) {
    guard (0..<pool.layers).contains(layer) else {
      throw AttentionError("layer", "\(layer) given, expected 0..<\(pool.layers)")
    }
    let view = try progress.withLock { (progress) throws(AttentionError) in
      guard let view = progress.view, !progress.isEnding else { throw Self.ended }
      progress.writers += 1
      return view
    }
    var error: AttentionError?
    do throws(AttentionError) { try body(view) } catch let refusal { error = refusal }
    let isLast = progress.withLock { progress in
      progress.writers -= 1
      if error == nil { progress.layers[layer] = .written }
      return progress.isEnding && progress.writers == 0
    }
    if isLast { end(commit: false) }
    if let error { throw error }
  }

  /// Takes back that a layer is written: some of its rows are not what they should be.
  func spoil(layer: Int) { progress.withLock { $0.layers[layer] = .missing } }
}

extension KeyValuePool {
  /// Copies rows of pages in all layers; outside of any lock.
  func copy(_ copies: [PageCopy]) {
    if copies.isEmpty { return }
    for layer in 0..<layers {
      for part in [layout.keys, layout.values] {
        let rows = part.rows(layer: layer, in: memory)
        for copy in copies {
          rows.copy(rows: copy.rows, page: Int(copy.source), heads: heads, to: rows, page: Int(copy.target))
        }
      }
    }
  }
}
