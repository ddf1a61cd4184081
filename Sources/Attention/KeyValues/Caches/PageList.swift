/// The pages of a sequence in order, shared by the sequence and the views of it.
///
/// Entries that a view reads are never changed: they are appended to, and dropped or replaced only where no view reads so far. Else
/// the sequence takes a list of its own.
///
/// `@unchecked Sendable`: all fields are read and written under the lock of the pool's ``PageLedger``, but for the entries that a view
/// reads without it, of which the address and the numbers stay as they are while the view lives.
final class PageList: @unchecked Sendable {
  private(set) var entries: UnsafeMutablePointer<Int32>
  private(set) var capacity: Int
  private(set) var count = 0

  /// The sequence, an open step and views, as far as they hold it. Its pages are given back when nobody does.
  var holders = 1
  /// Views among them.
  var viewers = 0
  /// No view sees the slot of this number or one after it.
  var seen = 0
  /// In a ring: positions up to here were claimed, and overwrote what was in their slots.
  var claimed = 0

  init(capacity: Int) {
    self.capacity = max(capacity, 4)
    entries = .allocate(capacity: self.capacity)
  }

  deinit { entries.deallocate() }

  func append(_ page: Int32) {
    precondition(count < capacity, "a list of \(capacity) pages is full")
    entries[count] = page
    count += 1
  }

  func dropLast() -> Int32 {
    count -= 1
    return entries[count]
  }

  func removeAll() { count = 0 }

  /// Makes room; only where no view reads the entries.
  func grow(to newCapacity: Int) {
    precondition(viewers == 0, "the entries of a list that views read do not move")
    let grown = UnsafeMutablePointer<Int32>.allocate(capacity: newCapacity)
    grown.update(from: entries, count: count)
    entries.deallocate()
    entries = grown
    capacity = newCapacity
  }
}
