/// Rows of keys, or of values, in one strided tensor: an address, what is stored there, strides, and where scales lie.
///
/// It does not keep its memory alive; the entry functions do, for as long as a problem is worked on.
struct RowOperand: RowSource {
  /// The element at index `[0, 0, 0, 0]`.
  let base: UnsafeRawPointer
  let type: RowStorage
  let byteStrides: ByteStrides
  /// The scale at index `[0, 0, 0]`; nil where rows have none.
  let scales: UnsafeRawPointer?
  let scaleStrides: ByteStrides

  init(_ tensor: StoredTensor, _ axes: RowAxes) {
    base = tensor.elements.unsafeBase
    type = tensor.type
    byteStrides = axes.byteStrides(tensor.elements.strides, tensor.elements.elementType.byteCount)
    scales = tensor.scales.map { UnsafeRawPointer($0.unsafeBase) }
    scaleStrides =
      tensor.scales.map { axes.byteStrides($0.strides, MemoryLayout<Float>.size) }
      ?? ByteStrides(batch: 0, head: 0, row: 0, column: 0)
  }

  var isOneRun: Bool { true }
  var readsHeadsTogether: Bool { byteStrides.head > 0 && byteStrides.head < byteStrides.row }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    RowRun(
      base: base + byteStrides.offset(sequence, head, position), rowStride: byteStrides.row,
      headStride: byteStrides.head, columnStride: byteStrides.column,
      scales: RowScales(
        base: scales.map { $0 + scaleStrides.offset(sequence, head, position) }, rowStride: scaleStrides.row,
        headStride: scaleStrides.head), count: .max)
  }

  /// Whether BLAS can read a tile of it where it lies: the right type, neighbours side by side, rows that do not overlap.
  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool {
    let size = type.byteCount
    return self.type == .numbers(type) && (byteStrides.column == size || columns == 1)
      && byteStrides.row >= columns * size && byteStrides.row / size <= Int(Int32.max)
  }

  /// Rows that are broadcast along the batch.
  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool {
    byteStrides.batch == 0 && (scales == nil || scaleStrides.batch == 0)
  }
}
