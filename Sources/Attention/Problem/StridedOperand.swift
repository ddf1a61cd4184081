/// The distances in bytes between neighbours of a tensor along batch, head, row and column.
struct ByteStrides: Equatable {
  let batch: Int
  let head: Int
  let row: Int
  let column: Int

  func offset(_ batch: Int, _ head: Int, _ row: Int) -> Int {
    batch &* self.batch &+ head &* self.head &+ row &* self.row
  }
}

/// Which axes of a tensor are batch, head, row and column.
enum RowAxes {
  /// `[B, H, T, D]`
  case batched
  /// `[total, H, D]`: all sequences share the axis of rows.
  case packed
  /// `[pages, pageSize, H, D]`: a page stands where a sequence does.
  case paged

  /// Wrapping: the stride of an axis with at most one index may be anything and is never used. Scales have no axis of columns.
  func byteStrides(_ strides: Strides, _ size: Int) -> ByteStrides {
    func bytes(_ axis: Int) -> Int { axis < strides.count ? strides[axis] &* size : size }
    return switch self {
    case .batched: ByteStrides(batch: bytes(0), head: bytes(1), row: bytes(2), column: bytes(3))
    case .packed: ByteStrides(batch: 0, head: bytes(1), row: bytes(0), column: bytes(2))
    case .paged: ByteStrides(batch: bytes(0), head: bytes(2), row: bytes(1), column: bytes(3))
    }
  }
}

/// A tensor as kernels see it: an address, a storage type and four strides. It does not keep its memory alive; the
/// entry functions do, for as long as a problem is worked on.
struct StridedOperand {
  /// The element at index `[0, 0, 0, 0]`.
  let base: UnsafeRawPointer
  let type: StorageType
  let byteStrides: ByteStrides

  init(_ base: UnsafeRawPointer, _ type: StorageType, _ strides: Strides, _ axes: RowAxes) {
    self.base = base
    self.type = type
    self.byteStrides = axes.byteStrides(strides, type.byteCount)
  }

  /// A tensor of a type that attention computes on.
  ///
  /// - Precondition: the tensor's type is one, which generic initialisers see to.
  init(_ tensor: AnyTensor, _ axes: RowAxes) {
    self.init(tensor.unsafeBase, StorageType(of: tensor), tensor.strides, axes)
  }

  /// The distance in elements between neighbours of a row.
  var columnStride: Int { byteStrides.column / type.byteCount }

  /// The distance in bytes from the first element to that of a row.
  func byteOffset(_ batch: Int, _ head: Int, _ row: Int) -> Int { byteStrides.offset(batch, head, row) }

  /// The address of the first element of a row.
  func row(_ batch: Int, _ head: Int, _ row: Int) -> UnsafeRawPointer {
    base + byteStrides.offset(batch, head, row)
  }

  /// Prefetches rows into the second-level cache; not where columns are not neighbours.
  func prefetch(_ batch: Int, _ head: Int, _ rows: Range<Int>, columns: Int) {
    RowRun(
      base: row(batch, head, rows.lowerBound), rowStride: byteStrides.row, headStride: byteStrides.head,
      columnStride: byteStrides.column, scales: .none, count: rows.count
    ).prefetch(rows.count, columns: columns, .numbers(type))
  }
}

/// A boolean mask as kernels see it: a byte for each (query, key).
struct BooleanOperand {
  let base: UnsafeRawPointer
  let byteStrides: ByteStrides

  /// The address of the byte of a row's first key.
  func row(_ batch: Int, _ head: Int, _ row: Int) -> UnsafePointer<UInt8> {
    (base + byteStrides.offset(batch, head, row)).assumingMemoryBound(to: UInt8.self)
  }
}
