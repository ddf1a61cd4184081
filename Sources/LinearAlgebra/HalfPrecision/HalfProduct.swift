import Parallelism
import Tensors

/// Products of halves: sums in Float, each rounded once.
///
/// Halves become Floats on their way into registers, or a tile at a time: nothing is as large as an operand. Few rows (or columns) are
/// multiplied by a stream of the other operand, see ``HalfStream``; many in tiles by BLAS, see ``HalfTile``. Which of the two, and how it
/// is cut, follows from the sizes and strides of one matrix alone, and so do all bits.
struct HalfProduct {
  let size: ProductSize
  let batch: Shape
  let a: HalfBatch
  let b: HalfBatch
  let kernels: HalfKernels

  /// Up to so many rows a stream is faster: 16 to 32 rows times 4096 × 4096 took a third to two thirds of the time of tiles, 64 rows times
  /// 2048 × 2048 a third. With sums of 64 products, 16 rows and more took up to twice the time of tiles; 4 rows were not compared.
  private var fewRows: Int { size.k < 128 ? 4 : 64 }

  /// Products of fewer multiplications than this are done by the time that another thread wakes.
  private static let serialWork: Double = 1_048_576

  /// Writes all matrices, row-major.
  func write(to c: UnsafeMutableRawPointer, maximumThreads: Int) {
    let matrices = batch.reduce(1, *)
    let tiles = ProductTiles(size)
    let tasks = tasksPerMatrix(tiles)
    let rows = max(min(size.m, size.n), ProductTiles.memoryBoundRows)
    let work = Double(matrices) * Double(rows) * Double(max(size.m, size.n)) * Double(size.k)
    WorkerPool.shared.run(matrices * tasks, maximumThreads: work < Self.serialWork ? 1 : maximumThreads) {
      task in
      let (matrix, part) = task.quotientAndRemainder(dividingBy: tasks)
      let target = c + HalfMatrix.elementBytes * matrix * size.m * size.n
      if let stream = stream(matrix) {
        stream.write(part, to: target, rowLength: size.n, kernels)
      } else {
        let tile = HalfTile(a: a.matrix(matrix, of: batch), b: b.matrix(matrix, of: batch))
        tile.write(tiles[part], to: target, kernels)
      }
    }
  }

  private func tasksPerMatrix(_ tiles: ProductTiles) -> Int { stream(0)?.taskCount ?? tiles.count }

  /// The product of a matrix as that of few rows and a stream; nil where rows and columns are many, or the stream has no neighbours.
  private func stream(_ matrix: Int) -> HalfStream? {
    guard min(size.m, size.n) <= fewRows else { return nil }
    let (a, b) = (a.matrix(matrix, of: batch), b.matrix(matrix, of: batch))
    let isTransposed = size.m > size.n
    return HalfStream(
      few: isTransposed ? b.transposed : a, streamed: isTransposed ? a : b.transposed,
      isTransposed: isTransposed)
  }
}

/// A tile of a product with many rows and columns: parts of both operands become Floats, and BLAS adds their product to the tile's sums.
struct HalfTile {
  let a: HalfMatrix
  let b: HalfMatrix

  /// Products of so many columns of `a` are added at a time. A tile of 512 × 256 sums and its parts of both operands then take 2 MiB.
  private static let depth = 512

  func write(
    _ tile: (rows: Range<Int>, columns: Range<Int>), to c: UnsafeMutableRawPointer, _ kernels: HalfKernels
  ) {
    let (rows, columns) = (tile.rows.count, tile.columns.count)
    let depth = min(Self.depth, a.columns)
    let counts = (a: rows * depth, b: columns * depth, sums: rows * columns)
    let bytes = (counts.a + counts.b + counts.sums) * MemoryLayout<Float>.stride
    ThreadScratch.withBytes(bytes) { scratch in
      guard let left = scratch.bindMemory(to: Float.self).baseAddress else { return }
      let right = left + counts.a
      let sums = right + counts.b
      for first in stride(from: 0, to: a.columns, by: depth) {
        let inner = first..<min(first + depth, a.columns)
        BLAS.gemm(
          ProductSize(m: rows, n: columns, k: inner.count),
          a: a.widen(tile.rows, inner, into: left, kernels),
          b: b.widen(inner, tile.columns, into: right, kernels), beta: first == 0 ? 0 : 1,
          c: MutableMatrixOperand(sums, leadingDimension: columns))
      }
      for row in 0..<rows {
        let place = (tile.rows.lowerBound + row) * b.columns + tile.columns.lowerBound
        _ = kernels.store(c + HalfMatrix.elementBytes * place, 1, sums + row * columns, columns, 1)
      }
    }
  }
}
