/// Memory for the keys and values of many sequences, in pages of equal size.
///
///     let pool = try KeyValuePool(layers: 30, heads: 3, depth: 64, keys: .bfloat16, values: .bfloat16, pageSize: 64, pages: 4096)
///     let sequence = pool.makeSequence()
///     let step = try KeyValueStep([sequence], appending: [prompt])
///     for layer in 0..<30 { try step.write(layer: layer, keys: k, values: v, rotary: rotary) }
///     try step.commit()
///
/// Keys lie as `[layer][page][head][row][bytes of a row]` and values alike; Int8 rows have their scales in `[layer][page][head][row]`. Of
/// planes, the high bytes lie as Int8 rows do, and the low bytes after all of them in the same order.
/// A page holds the same rows of all layers: one list of pages a sequence serves them all.
///
/// Sequences share pages: forks all that they have in common, and sequences that start with the same tokens whole pages of them
/// (``makeSequence(reusing:)``). Such pages stay when their sequences are gone, until pages run out; the least recently used go first.
///
/// Calls from several threads are safe. A short lock orders the bookkeeping; rows are written outside of it, so steps on different
/// sequences run side by side.
public final class KeyValuePool: Sendable {
  let layout: CacheLayout
  let memory: CacheMemory
  let ledger: PageLedger

  /// A pool of its own memory, which becomes resident as rows are written.
  ///
  /// - Parameters:
  ///   - layers: how many layers append to a sequence together.
  ///   - heads: `Hkv`.
  ///   - depth: `D`, the width of a key.
  ///   - width: `Dv`, the width of a value; `depth` when nil.
  ///   - keys: what keys are stored in; all but `int4`.
  ///   - values: what values are stored in; all but `planes`.
  ///   - pageSize: rows of a page.
  ///   - pages: how many pages.
  /// - Throws: ``AttentionError`` where a size is below 1 or beyond any use, keys are `int4`, values are `planes`, or the system has no address space.
  ///
  /// Beside the rows a pool has some 60 bytes a page and 8 bytes a token of a page that others may reuse.
  public convenience init(
    layers: Int, heads: Int, depth: Int, width: Int? = nil, keys: KeyValueType, values: KeyValueType,
    pageSize: Int, pages: Int
  ) throws(AttentionError) {
    let layout = try CacheLayout(
      layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: values,
      pageSize: pageSize, pages: pages)
    try self.init(layout, sharesPrefixes: true)
  }

  /// A pool over the caller's memory, of which it uses the first ``byteCount`` bytes.
  ///
  /// - Parameters:
  ///   - memory: at least ``byteCount(layers:heads:depth:width:keys:values:pageSize:pages:)`` bytes from a multiple of 64 on. Nobody else
  ///     touches them while the pool, or a view of it, is alive.
  ///   - owner: what keeps the memory valid; released with the pool.
  ///   - layers: how many layers append to a sequence together.
  ///   - heads: `Hkv`.
  ///   - depth: `D`, the width of a key.
  ///   - width: `Dv`, the width of a value; `depth` when nil.
  ///   - keys: what keys are stored in; all but `int4`.
  ///   - values: what values are stored in; all but `planes`.
  ///   - pageSize: rows of a page.
  ///   - pages: how many pages.
  /// - Throws: ``AttentionError`` as for a pool of its own memory, and where `memory` is too small or not aligned.
  public convenience init(
    over memory: UnsafeMutableRawBufferPointer, owner: some Sendable, layers: Int, heads: Int, depth: Int,
    width: Int? = nil, keys: KeyValueType, values: KeyValueType, pageSize: Int, pages: Int
  ) throws(AttentionError) {
    let layout = try CacheLayout(
      layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: values,
      pageSize: pageSize, pages: pages)
    guard let base = memory.baseAddress, memory.count >= layout.byteCount else {
      throw AttentionError("memory", "\(memory.count) bytes given, expected at least \(layout.byteCount)")
    }
    guard UInt(bitPattern: base).isMultiple(of: UInt(CacheMemory.alignment)) else {
      throw AttentionError(
        "memory", "the address \(base) given, expected a multiple of \(CacheMemory.alignment)")
    }
    try self.init(layout, CacheMemory(external: base, owner: owner), sharesPrefixes: true)
  }

  convenience init(_ layout: CacheLayout, sharesPrefixes: Bool) throws(AttentionError) {
    let layerBytes = layout.keys.layerRows * layout.keys.rowBytes
    guard let memory = CacheMemory(byteCount: layout.byteCount, layerBytes: layerBytes) else {
      throw AttentionError(
        .outOfMemory, "pages",
        "\(layout.pages) pages of \(layout.pageSize) rows ask for \(layout.byteCount) bytes, and the system has not so many"
      )
    }
    try self.init(layout, memory, sharesPrefixes: sharesPrefixes)
  }

  private init(
    _ layout: CacheLayout, _ memory: CacheMemory, sharesPrefixes: Bool
  ) throws(AttentionError) {
    let ledger = PageLedger(
      pageCount: layout.pages, pageSize: layout.pageSize, sharesPrefixes: sharesPrefixes)
    guard let ledger else {
      throw AttentionError(
        .outOfMemory, "pages",
        "\(layout.pages) pages of \(layout.pageSize) rows given, expected fewer: there is no memory to keep count of them"
      )
    }
    (self.layout, self.memory, self.ledger) = (layout, memory, ledger)
  }

  /// How many bytes a pool of such sizes needs of memory that a caller brings.
  ///
  /// - Throws: ``AttentionError`` where the sizes are refused by the pool too.
  public static func byteCount(
    layers: Int, heads: Int, depth: Int, width: Int? = nil, keys: KeyValueType, values: KeyValueType,
    pageSize: Int, pages: Int
  ) throws(AttentionError) -> Int {
    try CacheLayout(
      layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: values,
      pageSize: pageSize, pages: pages
    ).byteCount
  }
}

// MARK: - Sizes

extension KeyValuePool {
  /// How many layers append to a sequence together.
  public var layers: Int { layout.layers }
  /// `Hkv`
  public var heads: Int { layout.heads }
  /// `D`, the width of a key.
  public var depth: Int { layout.keys.columns }
  /// `Dv`, the width of a value.
  public var width: Int { layout.values.columns }
  /// What keys are stored in.
  public var keyType: KeyValueType { layout.keys.type }
  /// What values are stored in.
  public var valueType: KeyValueType { layout.values.type }
  /// Rows of a page.
  public var pageSize: Int { layout.pageSize }
  /// How many pages there are.
  public var pages: Int { layout.pages }
  /// What one token takes in all layers, its scales included.
  public var bytesPerToken: Int { layout.bytesPerToken }
  /// What all pages take.
  public var byteCount: Int { layout.byteCount }

  /// What is resident of a pool's own memory; 0 for a caller's.
  package var residentBytes: Int { memory.residentBytes }

  /// Pages that a step can have now: those that nobody holds, and those that are kept for their tokens alone.
  public var freePages: Int { ledger.withLock { ledger.available } }
}

// MARK: - Sequences

extension KeyValuePool {
  /// A sequence without rows. Takes no page until something is appended.
  public func makeSequence() -> KeyValueSequence {
    KeyValueSequence(self, KeyValueSequence.State(list: PageList(capacity: 4)))
  }

  /// A ring: it keeps the first rows and those of a sliding window, in pages that later rows take over.
  ///
  /// - Parameters:
  ///   - window: how many positions before a query it sees beside its own; 0 or more.
  ///   - kept: how many positions from the start on stay visible (attention sinks); 0 or more.
  ///   - longestAppend: the most tokens of one step.
  /// - Throws: ``AttentionError`` where a number is negative or beyond any use.
  ///
  /// It takes `kept + window + longestAppend` rows at most, rounded up to whole pages. In a step its view has the kept rows and the
  /// positions from `window` before the appended ones on. It takes no part in the reuse of prefixes.
  public func makeSequence(
    window: Int, keepingFirst kept: Int = 0, longestAppend: Int = 1
  ) throws(AttentionError) -> KeyValueSequence {
    let ring = try RingWindow(
      window: window, keepingFirst: kept, longestAppend: longestAppend, pageSize: pageSize)
    return KeyValueSequence(self, KeyValueSequence.State(list: PageList(capacity: 4), ring: ring))
  }

  /// How many of these tokens, in whole pages from the first on, some sequence of this pool has or had whose pages are still there.
  ///
  /// Cost: a hash and a comparison of each token of a page that is found, and of one page more.
  public func match(_ tokens: [Int]) -> Int {
    ledger.withLock {
      tokens.withUnsafeBufferPointer { ledger.match($0) { _ in }.pages } * pageSize
    }
  }

  /// A sequence that starts with the longest prefix of these tokens that is held in whole pages; its
  /// ``KeyValueSequence/count`` says how much that is, 0 where nothing fits.
  ///
  /// It may be all of the tokens: whoever needs a result for the last one truncates by one first.
  public func makeSequence(reusing tokens: [Int]) -> KeyValueSequence {
    let state = ledger.withLock {
      var found: [Int32] = []
      let chain = tokens.withUnsafeBufferPointer { ledger.match($0) { found.append($0) } }
      let list = PageList(capacity: found.count + 4)
      for page in found {
        ledger.retain(page)
        list.append(page)
      }
      let count = chain.pages * pageSize
      return KeyValueSequence.State(
        list: list, count: count, tokens: Array(tokens.prefix(count)), chain: chain)
    }
    return KeyValueSequence(self, state)
  }
}
