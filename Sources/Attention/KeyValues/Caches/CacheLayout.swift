/// Where a pool keeps what: sizes, strides and offsets in bytes, checked once.
struct CacheLayout: Sendable {
  let layers: Int
  let heads: Int
  let keys: CachePart
  let values: CachePart
  let pageSize: Int
  let pages: Int
  /// Keys, their low bytes, values, scales of keys and of values, lengths of keys, one after the other, each from a multiple of 64 bytes on.
  let byteCount: Int

  /// No machine has more memory: sums of parts stay far from an Int's limit.
  static let mostBytes = 1 << 47
  /// A sequence's rows and their pages are counted in 32 bits where kernels go through them.
  static let mostRows = Int(Int32.max)
  /// A ring's positions: more than any sequence reaches, and exact in a Double, in which scores count them.
  static let mostPositions = 1 << 52
  private static let widestRow = 1 << 21

  init(
    layers: Int, heads: Int, depth: Int, width: Int?, keys: KeyValueType, values: KeyValueType, pageSize: Int,
    pages: Int
  ) throws(AttentionError) {
    let width = width ?? depth
    try Self.check("layers", layers, most: 1 << 20)
    try Self.check("heads", heads, most: 1 << 20)
    try Self.check("depth", depth, most: Self.widestRow)
    try Self.check("width", width, most: Self.widestRow)
    try Self.check("pageSize", pageSize, most: Self.mostRows)
    try Self.check("pages", pages, most: Self.mostRows)
    guard keys != .int4 else {
      throw AttentionError(
        "keys", "int4 given, expected float32, bfloat16, float16, int8 or planes: int4 is for values only")
    }
    guard values != .planes else {
      throw AttentionError(
        "values", "planes given, expected float32, bfloat16, float16, int8 or int4: planes are for keys only")
    }
    // Each factor fits 31 bits: products of two fit an Int, and the rest is checked.
    let headPages = (layers * heads).multipliedReportingOverflow(by: pages)
    let rows = headPages.partialValue.multipliedReportingOverflow(by: pageSize)
    guard !headPages.overflow, !rows.overflow, rows.partialValue <= Self.mostBytes else {
      throw AttentionError(
        .outOfMemory, "pages",
        "\(pages) pages of \(pageSize) rows, \(heads) heads and \(layers) layers given, expected at most 2⁴⁷ bytes"
      )
    }
    var end = 0
    func place(_ rowBytes: Int) throws(AttentionError) -> Int {
      let bytes = rows.partialValue.multipliedReportingOverflow(by: rowBytes)
      guard !bytes.overflow, bytes.partialValue <= Self.mostBytes else {
        throw AttentionError(
          .outOfMemory, "pages",
          "\(rows.partialValue) rows of \(rowBytes) bytes given, expected at most 2⁴⁷ bytes")
      }
      defer { end += (bytes.partialValue + CacheMemory.alignment - 1) & ~(CacheMemory.alignment - 1) }
      return end
    }
    let keyOffset = try place(keys.storage.rowBytes(depth))
    let lowOffset = try place(keys.lowBytes(columns: depth))
    let valueOffset = try place(values.rowBytes(columns: width))
    let keyScales = try place(keys.hasScales ? MemoryLayout<Float>.stride : 0)
    let valueScales = try place(values.hasScales ? MemoryLayout<Float>.stride : 0)
    let lengths = try place(keys == .planes ? MemoryLayout<UInt32>.stride : 0)
    (self.layers, self.heads, self.pageSize, self.pages) = (layers, heads, pageSize, pages)
    self.keys = CachePart(
      type: keys, columns: depth, offset: keyOffset, lowDistance: keys == .planes ? lowOffset - keyOffset : 0,
      scaleOffset: keyScales, lengthsDistance: lengths - keyScales, heads: heads, pageSize: pageSize,
      pages: pages)
    self.values = CachePart(
      type: values, columns: width, offset: valueOffset, lowDistance: 0, scaleOffset: valueScales,
      lengthsDistance: 0, heads: heads, pageSize: pageSize, pages: pages)
    byteCount = end
  }

  private static func check(_ argument: String, _ value: Int, most: Int) throws(AttentionError) {
    guard (1...most).contains(value) else {
      throw AttentionError(argument, "\(value) given, expected 1 to \(most)")
    }
  }

  /// What one token takes in all layers.
  var bytesPerToken: Int {
    layers * heads
      * (keys.type.rowBytes(columns: keys.columns) + keys.type.scaleBytes
        + values.type.rowBytes(columns: values.columns) + values.type.scaleBytes)
  }
}

/// Keys, or values: `[layer][page][head][row][row bytes]`, and their scales, `[layer][page][head][row]`. A plane of low bytes lies as the rows
/// do, and lengths as the scales do.
struct CachePart: Sendable {
  let type: KeyValueType
  let columns: Int
  /// In one plane.
  let rowBytes: Int
  /// From one head, page or layer to the next, in rows.
  let headRows: Int
  let pageRows: Int
  let layerRows: Int
  let offset: Int
  /// From a row to its low bytes.
  let lowDistance: Int
  let scaleOffset: Int
  /// From a row's scale to its lengths.
  let lengthsDistance: Int

  init(
    type: KeyValueType, columns: Int, offset: Int, lowDistance: Int, scaleOffset: Int, lengthsDistance: Int,
    heads: Int, pageSize: Int, pages: Int
  ) {
    (self.type, self.columns, self.offset, self.scaleOffset) = (type, columns, offset, scaleOffset)
    (self.lowDistance, self.lengthsDistance) = (lowDistance, lengthsDistance)
    rowBytes = type.storage.rowBytes(columns)
    headRows = pageSize
    pageRows = heads * pageSize
    layerRows = pages * pageRows
  }

  /// One layer's rows.
  func rows(layer: Int, in memory: CacheMemory) -> CachedRows {
    let scaleBytes = type.hasScales ? MemoryLayout<Float>.stride : 0
    return CachedRows(
      type: type, columns: columns, base: memory.base + (offset + layer * layerRows * rowBytes),
      pageStride: pageRows * rowBytes, headStride: headRows * rowBytes, rowStride: rowBytes,
      lowDistance: lowDistance,
      scales: scaleBytes == 0 ? nil : memory.base + (scaleOffset + layer * layerRows * scaleBytes),
      scalePageStride: pageRows * scaleBytes, scaleHeadStride: headRows * scaleBytes,
      lengthsDistance: lengthsDistance)
  }
}

/// One layer's keys or values as kernels see them: addresses and strides in bytes. It does not keep the memory alive; a
/// ``CacheView`` does.
struct CachedRows {
  var type: KeyValueType
  let columns: Int
  /// Row 0 of head 0 of page 0.
  let base: UnsafeMutableRawPointer
  let pageStride: Int
  let headStride: Int
  let rowStride: Int
  /// From a row to its low bytes; 0 where there are none.
  let lowDistance: Int
  /// The same row's scale, a Float; from a row's to the next one's are 4 bytes. Nil where rows have none outside of them.
  let scales: UnsafeMutableRawPointer?
  let scalePageStride: Int
  let scaleHeadStride: Int
  /// From a row's scale to its lengths.
  let lengthsDistance: Int

  func row(page: Int, head: Int, row: Int) -> UnsafeMutableRawPointer {
    base + (page &* pageStride &+ head &* headStride &+ row &* rowStride)
  }

  /// The scales of a page's rows of one head from `row` on.
  func scale(page: Int, head: Int, row: Int) -> UnsafeMutablePointer<Float>? {
    scales.map {
      ($0 + (page &* scalePageStride &+ head &* scaleHeadStride &+ row &* MemoryLayout<Float>.stride))
        .assumingMemoryBound(to: Float.self)
    }
  }

  /// The low bytes of a page's rows of one head from `row` on.
  func lowPlane(page: Int, head: Int, row: Int) -> LowPlane {
    if lowDistance == 0 { return .none }
    return LowPlane(
      distance: lowDistance, lengths: lengths(page: page, head: head, row: row).map { UnsafePointer($0) })
  }

  /// The lengths of a page's rows of one head from `row` on, two bfloat16 numbers each.
  func lengths(page: Int, head: Int, row: Int) -> UnsafeMutablePointer<UInt32>? {
    if lowDistance == 0 { return nil }
    return scale(page: page, head: head, row: row).map {
      (UnsafeMutableRawPointer($0) + lengthsDistance).assumingMemoryBound(to: UInt32.self)
    }
  }

  /// Copies a page's first rows of all heads to another place.
  func copy(rows: Int, page: Int, heads: Int, to target: CachedRows, page targetPage: Int) {
    for head in 0..<heads {
      let (from, to) = (row(page: page, head: head, row: 0), target.row(page: targetPage, head: head, row: 0))
      to.copyMemory(from: from, byteCount: rows * rowStride)
      if lowDistance != 0 {
        (to + target.lowDistance).copyMemory(from: from + lowDistance, byteCount: rows * rowStride)
      }
      if let from = lengths(page: page, head: head, row: 0),
        let to = target.lengths(page: targetPage, head: head, row: 0)
      {
        to.update(from: from, count: rows)
      }
      if let from = scale(page: page, head: head, row: 0),
        let to = target.scale(page: targetPage, head: head, row: 0)
      {
        to.update(from: from, count: rows)
      }
    }
  }
}
