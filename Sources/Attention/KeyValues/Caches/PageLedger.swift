#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Who holds which pages of a pool: references, free pages, and the prefixes that wait to be used again.
///
/// One lock guards all of it, and with it the lists and states of the pool's sequences. It is held for bookkeeping only: never while
/// rows are written or copied, and never while a view or a sequence is released, whose ends take it themselves.
///
/// `@unchecked Sendable`: every field is touched inside ``withLock(_:)`` alone.
final class PageLedger: @unchecked Sendable {
  /// What is known of a page.
  struct Record {
    /// Lists that hold it, and open steps' claims.
    var references: Int32 = 0
    /// Rows 0 ..< `written` were claimed by some step: rows from there on nobody sees or writes.
    var written: Int32 = 0
    var prefix = PrefixNode()
    /// Neighbours in the list of pages that are kept for their prefix alone, by last use.
    var older: Int32 = -1
    var newer: Int32 = -1
  }

  let pageCount: Int
  let pageSize: Int
  let sharesPrefixes: Bool
  /// Those below ``fresh`` are initialised, so that pages that were never used cost nothing.
  let records: UnsafeMutablePointer<Record>
  /// Tokens of registered pages, `[page][row]`; touched only there.
  let tokens: UnsafeMutablePointer<Int>
  private var fresh = 0
  private var freed: [Int32] = []
  /// Pages that nobody holds and that are kept for their prefix, least recently used first.
  var idle = IdlePages()
  var nodes: [PrefixKey: Int32] = [:]
  var lastSerial: UInt32 = 0

  /// Not a `Mutex`: ThreadSanitizer does not see what a thread that waited for one has behind it, and would report every access.
  private let lock: UnsafeMutablePointer<pthread_mutex_t>

  /// Nil where the system has no memory for so many pages. What it gives becomes resident as pages are used.
  init?(pageCount: Int, pageSize: Int, sharesPrefixes: Bool) {
    let records = malloc(pageCount * MemoryLayout<Record>.stride)
    // A layout's rows are few enough for these products.
    let tokens = malloc((sharesPrefixes ? pageCount * pageSize : 1) * MemoryLayout<Int>.stride)
    guard let records, let tokens else {
      free(records)
      free(tokens)
      return nil
    }
    (self.pageCount, self.pageSize, self.sharesPrefixes) = (pageCount, pageSize, sharesPrefixes)
    lock = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    self.records = records.bindMemory(to: Record.self, capacity: pageCount)
    self.tokens = tokens.bindMemory(to: Int.self, capacity: sharesPrefixes ? pageCount * pageSize : 1)
  }

  deinit {
    pthread_mutex_destroy(lock)
    lock.deallocate()
    free(UnsafeMutableRawPointer(records))
    free(UnsafeMutableRawPointer(tokens))
  }

  func withLock<Result: Sendable, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    pthread_mutex_lock(lock)
    defer { pthread_mutex_unlock(lock) }
    return try body()
  }
}

// MARK: - Under the lock

extension PageLedger {
  /// Pages that a step can have: free ones, and those that are kept for their prefix alone.
  var available: Int { pageCount - fresh + freed.count + idle.count }

  /// A page that nobody uses, held once. The least recently used prefix goes where there is no other.
  ///
  /// - Precondition: one is ``available``.
  func take(written: Int) -> Int32 {
    if freed.isEmpty && fresh == pageCount { evict() }
    let page: Int32
    if let last = freed.popLast() {
      page = last
    } else {
      page = Int32(fresh)
      fresh += 1
    }
    (records + Int(page)).initialize(to: Record(references: 1, written: Int32(written)))
    return page
  }

  func retain(_ page: Int32) {
    let record = records + Int(page)
    if record.pointee.references == 0 { idle.remove(page, records) }
    record.pointee.references += 1
  }

  func release(_ page: Int32) {
    let record = records + Int(page)
    precondition(record.pointee.references > 0, "page \(page) is given back twice")
    record.pointee.references -= 1
    if record.pointee.references > 0 { return }
    if record.pointee.prefix.isRegistered {
      idle.append(page, records)
    } else {
      freed.append(page)
    }
  }

  /// A page that nobody holds, and that lost its prefix.
  func makeFree(_ page: Int32) { freed.append(page) }

  /// One holder of a list less; the last one gives its pages back.
  func release(_ list: PageList) {
    list.holders -= 1
    if list.holders > 0 { return }
    // The last first: of an idle prefix the end goes before what it builds on.
    while list.count > 0 { release(list.dropLast()) }
  }

  func releaseView(of list: PageList) {
    list.viewers -= 1
    if list.viewers == 0 { list.seen = 0 }
    release(list)
  }

  /// A list of its own with the first pages of another.
  func copy(_ list: PageList, pages: Int, capacity: Int = 0) -> PageList {
    let copy = PageList(capacity: max(pages, capacity))
    for index in 0..<pages {
      retain(list.entries[index])
      copy.append(list.entries[index])
    }
    copy.claimed = list.claimed
    return copy
  }

  /// The list with its first pages alone: the same one where no view sees more, else another in its place.
  func shorten(_ list: PageList, toPages pages: Int, rows: Int) -> PageList {
    if list.seen > rows {
      let copy = copy(list, pages: pages)
      release(list)
      return copy
    }
    while list.count > pages { release(list.dropLast()) }
    return list
  }

  /// How many pages hold so many rows.
  func pages(of rows: Int) -> Int { (rows + pageSize - 1) / pageSize }
}

/// A list through the records of pages, by their last use.
struct IdlePages {
  private(set) var count = 0
  private var oldest: Int32 = -1
  private var newest: Int32 = -1

  var first: Int32? { count == 0 ? nil : oldest }

  mutating func append(_ page: Int32, _ records: UnsafeMutablePointer<PageLedger.Record>) {
    records[Int(page)].older = newest
    records[Int(page)].newer = -1
    if newest >= 0 { records[Int(newest)].newer = page } else { oldest = page }
    newest = page
    count += 1
  }

  mutating func remove(_ page: Int32, _ records: UnsafeMutablePointer<PageLedger.Record>) {
    let (older, newer) = (records[Int(page)].older, records[Int(page)].newer)
    if older >= 0 { records[Int(older)].newer = newer } else { oldest = newer }
    if newer >= 0 { records[Int(newer)].older = older } else { newest = older }
    count -= 1
  }
}
