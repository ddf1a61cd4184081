import CAttentionKernels

/// Rows of keys, or of values, handed to kernels that read each once: where they lie and as they are, or gathered as Floats.
struct StreamSource {
  private let rows: any RowSource
  private let tiles: TileSource<Float>
  private let columns: Int
  private let elementSize: Int
  private let kernels: KernelTable

  init(_ rows: any RowSource, columns: Int, _ kernels: KernelTable) {
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

  private func isReadInPlace(_ run: RowRun, _ count: Int) -> Bool {
    run.count >= count && (run.columnStride == elementSize || columns == 1)
  }

  /// Rows for a kernel of this source's type, and a hint at what it reads next.
  func stream(
    _ range: Range<Int>, _ block: RowBlock, _ scratch: UnsafeMutablePointer<Float>, next: RowRun?
  ) -> (stream: CAttentionKernels_stream, type: ElementType) {
    let run = run(range, block)
    let hint = next.map { (base: Optional($0.base), stride: $0.rowStride, count: min($0.count, range.count)) }
    var stream = CAttentionKernels_stream(
      rows: run.base, row_stride: run.rowStride, count: range.count, columns: columns, next: hint?.base,
      next_stride: hint?.stride ?? 0, next_count: hint?.count ?? 0)
    if isReadInPlace(run, range.count) { return (stream, rows.elementType) }
    let tile = tiles.tile(range, block, scratch)
    stream.rows = UnsafeRawPointer(tile.base)
    stream.row_stride = tile.leadingDimension * MemoryLayout<Float>.size
    return (stream, .float32)
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
