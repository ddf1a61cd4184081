import CAttentionKernels

/// Rows of keys, or of values, handed to kernels that read each once: where they lie and as they are, run by run, or gathered as Floats
/// where columns are not neighbours.
struct StreamSource {
  private let rows: KeyValueRows
  private let tiles: TileSource<Float>
  private let columns: Int
  private let elementSize: Int
  private let kernels: KernelTable

  init(_ rows: KeyValueRows, columns: Int, _ kernels: KernelTable) {
    self.rows = rows
    self.columns = columns
    self.kernels = kernels
    self.elementSize = rows.elementType.byteCount
    self.tiles = TileSource(rows, columns: columns, kernels)
  }

  /// Where rows lie, as far as one run holds them.
  func run(_ range: Range<Int>, _ block: RowBlock) -> RowRun {
    rows.run(block.sequence, block.keyValueHead, from: block.extent.keyStart + range.lowerBound)
  }

  /// Rows of a width that are brought into scratch at a time: as Floats they stay in the second-level cache beside what is read meanwhile.
  static func gatheredRows(columns: Int) -> Int { max(1, min(128, (1 << 17) / columns)) }

  /// Hands out rows in their order, in pieces that kernels can read: a run where it lies, or some rows of it as Floats in `scratch`.
  ///
  /// - Parameters:
  ///   - range: positions of the block's sequence.
  ///   - scratch: room for ``gatheredRows(columns:)`` rows.
  ///   - next: what is read after them.
  ///   - body: gets the positions of each piece, counted from the first, and the piece.
  func forEachPiece(
    of range: Range<Int>, _ block: RowBlock, _ scratch: UnsafeMutablePointer<Float>, next: RowRun?,
    _ body: (Range<Int>, CAttentionKernels_stream, ElementType) -> Void
  ) {
    var first = range.lowerBound
    while first < range.upperBound {
      let run = run(first..<range.upperBound, block)
      let isInPlace = run.columnStride == elementSize || columns == 1
      let end =
        first + min(range.upperBound - first, isInPlace ? run.count : Self.gatheredRows(columns: columns))
      let following = end < range.upperBound ? self.run(end..<range.upperBound, block) : next
      var stream = CAttentionKernels_stream(
        rows: run.base, row_stride: run.rowStride, count: end - first, columns: columns,
        next: following?.base, next_stride: following?.rowStride ?? 0,
        next_count: min(following?.count ?? 0, end - first))
      if !isInPlace {
        let tile = tiles.tile(first..<end, block, scratch)
        stream.rows = UnsafeRawPointer(tile.base)
        stream.row_stride = tile.leadingDimension * MemoryLayout<Float>.size
      }
      body(
        first - range.lowerBound..<end - range.lowerBound, stream, isInPlace ? rows.elementType : .float32)
      first = end
    }
  }

  /// The kernel that multiplies rows of a type with queries.
  func multiply(_ products: inout CAttentionKernels_products, _ type: ElementType) {
    switch type {
    case .float16: kernels.pointee.products_from_f16(&products)
    case .bfloat16: kernels.pointee.products_from_bf16(&products)
    default: kernels.pointee.products_from_f32(&products)
    }
  }

  /// The kernel that adds up weighted rows of a type.
  func addWeighted(_ sums: inout CAttentionKernels_sums, _ type: ElementType) {
    switch type {
    case .float16: kernels.pointee.sums_from_f16(&sums)
    case .bfloat16: kernels.pointee.sums_from_bf16(&sums)
    default: kernels.pointee.sums_from_f32(&sums)
    }
  }
}
