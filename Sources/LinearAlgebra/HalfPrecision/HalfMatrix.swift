import CAttentionKernels
import Tensors

/// The kernels that read and write halves of one type.
struct HalfKernels {
  /// `target[i] = source[i * stride] * factor`, as Floats.
  let load: @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int, Int, Double) -> Void
  /// `target[i * stride] = source[i] * factor`, rounded to nearest even.
  let store: @convention(c) (UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int, Double) -> Int32
  /// Rows of Floats times rows of halves.
  let products: @convention(c) (UnsafePointer<CAttentionKernels_products>?) -> Void
  /// Rows of halves added up with weights.
  let sums: @convention(c) (UnsafePointer<CAttentionKernels_sums>?) -> Void

  static var float16: HalfKernels {
    let table = CAttentionKernels_active().pointee
    return HalfKernels(
      load: table.f32.load_from_f16, store: table.f32.store_to_f16, products: table.products_from_f16,
      sums: table.sums_from_f16)
  }

  static var bfloat16: HalfKernels {
    let table = CAttentionKernels_active().pointee
    return HalfKernels(
      load: table.f32.load_from_bf16, store: table.f32.store_to_bf16, products: table.products_from_bf16,
      sums: table.sums_from_bf16)
  }
}

/// A matrix of halves where it lies, at any strides.
struct HalfMatrix {
  var base: UnsafeRawPointer
  var rows: Int
  var columns: Int
  /// In elements.
  var rowStride: Int
  var columnStride: Int

  static let elementBytes = 2

  var transposed: HalfMatrix {
    HalfMatrix(base: base, rows: columns, columns: rows, rowStride: columnStride, columnStride: rowStride)
  }

  /// Whether rows run through neighbouring elements.
  var hasDenseRows: Bool { columns == 1 || columnStride == 1 }

  /// From here on.
  func from(row: Int, column: Int) -> UnsafeRawPointer {
    base + Self.elementBytes * (row * rowStride + column * columnStride)
  }

  /// Writes a part as Floats, `rows.count * columns.count` of them, in the order in which it is read fastest: column by column where
  /// columns alone run through neighbours.
  func widen(
    _ rows: Range<Int>, _ columns: Range<Int>, into target: UnsafeMutablePointer<Float>,
    _ kernels: HalfKernels
  ) -> MatrixOperand<Float> {
    let isTransposed = !hasDenseRows && transposed.hasDenseRows
    let source = isTransposed ? transposed : self
    let (lines, line) = isTransposed ? (columns, rows) : (rows, columns)
    for index in lines {
      let from = source.from(row: index, column: line.lowerBound)
      kernels.load(target + (index - lines.lowerBound) * line.count, from, source.columnStride, line.count, 1)
    }
    return MatrixOperand(target, leadingDimension: line.count, isTransposed: isTransposed)
  }
}

/// A batch of matrices of halves.
struct HalfBatch {
  let first: HalfMatrix
  /// The distance between matrices along each axis of the product's batch, in elements.
  let strides: Strides

  /// The matrices of a tensor whose memory lies at `base`.
  init(
    _ base: UnsafeRawPointer, _ matrix: (rows: Int, columns: Int), shape: Shape, strides: Strides,
    batch: Shape
  ) {
    let isVector = shape.count == 1
    first = HalfMatrix(
      base: base, rows: matrix.rows, columns: matrix.columns,
      rowStride: isVector ? (matrix.rows == 1 ? 0 : strides[0]) : strides.fromEnd(2),
      columnStride: isVector ? (matrix.rows == 1 ? strides[0] : 0) : strides.fromEnd(1))
    var own = Strides(repeating: 0, count: batch.count)
    for axis in 0..<max(shape.count - 2, 0) where shape[axis] != 1 {
      own[batch.count - (shape.count - 2) + axis] = strides[axis]
    }
    self.strides = own
  }

  /// A matrix, counted in row-major order.
  func matrix(_ index: Int, of batch: Shape) -> HalfMatrix {
    var (rest, offset) = (index, 0)
    for axis in stride(from: batch.count - 1, through: 0, by: -1) {
      let (outer, place) = rest.quotientAndRemainder(dividingBy: batch[axis])
      offset += place * strides[axis]
      rest = outer
    }
    var result = first
    result.base += HalfMatrix.elementBytes * offset
    return result
  }
}
