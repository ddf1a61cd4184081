/// One layer's rows of the sequences of a ``CacheView``.
struct CachedSource: RowSource {
  private var rows: CachedRows
  private let sequences: UnsafePointer<SequenceRows>
  private let pageSize: Int
  let isOneRun: Bool

  init(_ rows: CachedRows, _ view: CacheView) {
    self.rows = rows
    sequences = view.sequences
    pageSize = view.pageSize
    isOneRun = (0..<view.sequenceCount).allSatisfy {
      view.sequences[$0].turning == 0 && view.sequences[$0].rowCount <= view.pageSize
    }
  }

  var type: RowStorage { rows.type.storage }

  /// The high bytes alone, as rows of Int8.
  var highPlane: CachedSource {
    var source = self
    source.rows.type = .int8
    return source
  }

  /// The heads of a page follow each other: in short pages, reading one head alone jumps before the hardware prefetcher has seen a stream.
  var readsHeadsTogether: Bool { pageSize > 1 && pageSize <= Self.shortPage }

  /// Rows of a page that kernels read head by head.
  private static let shortPage = 64

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    let place = sequences[sequence].run(row: position)
    return RowRun(
      base: UnsafeRawPointer(rows.row(page: place.page, head: head, row: place.rowInPage)),
      rowStride: rows.rowStride, headStride: rows.headStride, columnStride: type.columnBytes,
      scales: RowScales(
        base: rows.scale(page: place.page, head: head, row: place.rowInPage).map { UnsafeRawPointer($0) },
        rowStride: MemoryLayout<Float>.stride, headStride: rows.scaleHeadStride),
      low: rows.lowPlane(page: place.page, head: head, row: place.rowInPage), count: place.count)
  }

  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool { self.type == .numbers(type) }

  /// Equal pages. A ring's rows lie at other places than those of other sequences.
  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool {
    let (a, b) = (sequences[sequence], sequences[other])
    if rows.isEmpty { return true }
    if a.turning > 0 || b.turning > 0 { return false }
    let places = rows.lowerBound / pageSize...(rows.upperBound - 1) / pageSize
    return places.allSatisfy { a.pages[$0] == b.pages[$0] }
  }
}

extension KeyValueType {
  /// As sources say it.
  var storage: RowStorage {
    switch self {
    case .float32: .numbers(.float32)
    case .bfloat16: .numbers(.bfloat16)
    case .float16: .numbers(.float16)
    case .int8: .int8
    case .int4: .int4
    case .planes: .planes
    }
  }
}

extension CacheView {
  /// One layer's keys and values of all sequences of the view, as attention takes them: read where they lie. Allocates nothing.
  ///
  /// Causal masks, windows and ALiBi count positions: in a ring the kept rows, then, after those that were overwritten, the rows of the
  /// window. Tensors of masks have a column for each row that the view has.
  /// - Parameter layer: 0 ..< the pool's layers.
  /// - Throws: ``AttentionError`` where there is no such layer.
  public func keyValues(layer: Int) throws(AttentionError) -> KeyValues {
    guard (0..<pool.layers).contains(layer) else {
      throw AttentionError("layer", "\(layer) given, expected one in 0..<\(pool.layers)")
    }
    return KeyValues(cached: self, layer: layer)
  }
}

extension KeyValueStep {
  /// One layer's keys and values of the step's sequences, the appended ones included once the layer is written.
  ///
  /// - Throws: ``AttentionError`` where there is no such layer, or the step was committed or cancelled.
  public func keyValues(layer: Int) throws(AttentionError) -> KeyValues { try view.keyValues(layer: layer) }
}
