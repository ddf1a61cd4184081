/// The rows of some sequences as they were at one moment, whatever happens to the sequences later: what attention reads.
///
/// One view serves all layers. It holds the pages that it sees; they are given back when the last reference to it is gone.
///
/// `@unchecked Sendable`: the memory of `sequences` is written before `init` returns, and read from then on.
public final class CacheView: @unchecked Sendable {
  let pool: KeyValuePool
  /// How many sequences there are, in the order in which the step has them.
  public let sequenceCount: Int
  /// `[sequenceCount]`
  let sequences: UnsafePointer<SequenceRows>
  private let storage: UnsafeMutablePointer<SequenceRows>
  private let lists: [PageList]

  /// - Parameter lists: holds of them were counted, for views.
  init(_ pool: KeyValuePool, _ sequences: UnsafeMutablePointer<SequenceRows>, _ lists: [PageList]) {
    self.pool = pool
    self.lists = lists
    storage = sequences
    self.sequences = UnsafePointer(sequences)
    sequenceCount = lists.count
  }

  deinit {
    pool.ledger.withLock {
      for list in lists { pool.ledger.releaseView(of: list) }
    }
    storage.deallocate()
  }

  var pageSize: Int { pool.layout.pageSize }
  var heads: Int { pool.layout.heads }

  /// One layer's keys.
  func keys(layer: Int) -> CachedRows { pool.layout.keys.rows(layer: layer, in: pool.memory) }

  /// One layer's values.
  func values(layer: Int) -> CachedRows { pool.layout.values.rows(layer: layer, in: pool.memory) }

  /// How many rows of a sequence are in the view.
  ///
  /// - Precondition: `sequence` is one of the view's.
  public func rowCount(_ sequence: Int) -> Int { checked(sequence).rowCount }

  /// How many positions a sequence has in all, those included that left a ring's window.
  ///
  /// - Precondition: `sequence` is one of the view's.
  public func positionCount(_ sequence: Int) -> Int { checked(sequence).positionCount }

  private func checked(_ sequence: Int) -> SequenceRows {
    precondition(
      (0..<sequenceCount).contains(sequence), "sequence \(sequence) of a view of \(sequenceCount)")
    return sequences[sequence]
  }

  /// The page of a sequence's row, and how many rows from it on follow each other there.
  ///
  /// - Precondition: `row` is below the sequence's `rowCount`.
  @inline(__always)
  func run(sequence: Int, row: Int) -> (page: Int, rowInPage: Int, count: Int) {
    sequences[sequence].run(row: row)
  }
}

/// One sequence in a view. Rows `0 ..< keptRows` are positions of the same number, row `j` from there on is position `j + skipped`.
struct SequenceRows {
  /// The page numbers, in order. The view keeps them.
  let pages: UnsafePointer<Int32>
  let pageSize: UInt32
  let rowCount: Int
  /// Rows that a ring keeps from the start; 0 for other sequences.
  let keptRows: Int
  /// Positions that are missing between the kept rows and those of the window.
  let skipped: Int
  /// Positions before the step and after it.
  let positionsBefore: Int
  let positionCount: Int
  /// Slots from this one on take positions in turn, so many of them; 0 where none does.
  let turningFrom: Int
  let turning: Int

  /// - Parameter list: pages for all positions up to `count`.
  init(_ list: PageList, pageSize: Int, ring: RingWindow?, from before: Int, to count: Int) {
    pages = UnsafePointer(list.entries)
    self.pageSize = UInt32(pageSize)
    (positionsBefore, positionCount) = (before, count)
    guard let ring else {
      (rowCount, keptRows, skipped, turningFrom, turning) = (count, 0, 0, 0, 0)
      return
    }
    keptRows = min(ring.kept, count)
    let first = min(ring.first(before), count)
    skipped = max(0, first - keptRows)
    rowCount = count - skipped
    (turningFrom, turning) = (ring.kept, ring.turning)
  }

  /// Slots that rows of this view lie in are below this.
  func slotEnd(_ ring: RingWindow?) -> Int {
    ring.map { min(positionCount, $0.capacity) } ?? positionCount
  }

  /// The page and row of a slot, and how many slots from it on are in that page.
  @inline(__always)
  private func place(_ slot: UInt32) -> (page: Int, rowInPage: Int, count: Int) {
    // A page that holds the whole sequence needs no division, which would be half of the work.
    let index = slot < pageSize ? 0 : slot / pageSize
    let row = slot &- index &* pageSize
    return (Int(pages[Int(index)]), Int(row), Int(pageSize &- row))
  }

  @inline(__always)
  func run(row: Int) -> (page: Int, rowInPage: Int, count: Int) {
    if turning == 0 {
      let place = place(UInt32(truncatingIfNeeded: row))
      return (place.page, place.rowInPage, min(place.count, rowCount &- row))
    }
    let position = row < keptRows ? row : row &+ skipped
    let end = row < keptRows && skipped > 0 ? keptRows : positionCount
    return run(position: position, end: end)
  }

  /// The same for a position, as far as `end`.
  func run(position: Int, end: Int) -> (page: Int, rowInPage: Int, count: Int) {
    var slot = position
    var most = end - position
    if turning > 0 {
      if position >= turningFrom { slot = turningFrom + (position - turningFrom) % turning }
      most = min(most, turningFrom + turning - slot)
    }
    let place = place(UInt32(truncatingIfNeeded: slot))
    return (place.page, place.rowInPage, min(place.count, most))
  }
}
