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

/// How the axes of a tensor stand for batch, head, row and column; the numbers are its strides in elements.
enum RowLayout {
  /// `[B, H, T, D]`
  case batchedRows(Strides)
  /// `[total, H, D]`: all sequences share the axis of rows.
  case packedRows(Strides)
  /// `[pages, pageSize, H, D]`: a page stands where a sequence does.
  case pagedRows(Strides)

  /// Wrapping: the stride of an axis with at most one index may be anything and is never used.
  func bytes(_ size: Int) -> ByteStrides {
    switch self {
    case .batchedRows(let strides):
      ByteStrides(
        batch: strides[0] &* size, head: strides[1] &* size, row: strides[2] &* size,
        column: strides[3] &* size)
    case .packedRows(let strides):
      ByteStrides(
        batch: 0, head: strides[1] &* size, row: strides[0] &* size, column: strides[2] &* size)
    case .pagedRows(let strides):
      ByteStrides(
        batch: strides[0] &* size, head: strides[2] &* size, row: strides[1] &* size,
        column: strides[3] &* size)
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

  init(_ base: UnsafeRawPointer, _ type: StorageType, _ layout: RowLayout) {
    self.base = base
    self.type = type
    self.byteStrides = layout.bytes(type.byteCount)
  }

  /// The distance in elements between neighbours of a row.
  var columnStride: Int { byteStrides.column / type.byteCount }

  /// The distance in bytes from the first element to that of a row.
  func byteOffset(_ batch: Int, _ head: Int, _ row: Int) -> Int { byteStrides.offset(batch, head, row) }

  /// The address of the first element of a row.
  func row(_ batch: Int, _ head: Int, _ row: Int) -> UnsafeRawPointer {
    base + byteStrides.offset(batch, head, row)
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
