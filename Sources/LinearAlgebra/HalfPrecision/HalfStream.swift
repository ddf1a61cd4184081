import CAttentionKernels
import Parallelism
import Tensors

/// Few rows times all rows of another matrix, `c[i, j] = Σ_p few[i, p] · streamed[j, p]`, which is read once, where it lies.
///
/// Where rows of `streamed` are dense, each is multiplied with the few; where its columns are, each is added to their sums. Both convert in
/// registers, at the speed of memory.
struct HalfStream {
  private let few: HalfMatrix
  private let streamed: HalfMatrix
  /// Whether the few are columns of the product: `c[j, i]` then.
  private let isTransposed: Bool
  private let rowsPerTask: Int

  /// The few become Floats for each task, so many columns at a time: 16 rows of these take 1 MiB.
  private static let depth = 1 << 14

  /// Nil where neither rows nor columns of `streamed` run through neighbours.
  init?(few: HalfMatrix, streamed: HalfMatrix, isTransposed: Bool) {
    self.few = few
    self.streamed = streamed
    self.isTransposed = isTransposed
    // Bytes that are worth a task: tens of microseconds at the speed of memory.
    let enough = (1 << 18) / (HalfMatrix.elementBytes * max(streamed.columns, 1))
    if streamed.hasDenseRows {
      // Converting the few costs as much as so many rows of the stream; whole turns of 16 rows.
      rowsPerTask = max(enough / 16 * 16, 64)
    } else if streamed.transposed.hasDenseRows {
      // Pieces of rows that the CPU's prefetchers take for a stream.
      rowsPerTask = max(enough / 64 * 64, 256)
    } else {
      return nil
    }
  }

  var taskCount: Int { (streamed.rows + rowsPerTask - 1) / rowsPerTask }

  /// Computes and stores some columns of the product, or rows where it is transposed.
  func write(_ task: Int, to c: UnsafeMutableRawPointer, rowLength: Int, _ kernels: HalfKernels) {
    let range = task * rowsPerTask..<min((task + 1) * rowsPerTask, streamed.rows)
    let (rows, width) = (few.rows, range.count)
    let depth = min(Self.depth, few.columns)
    let floats = rows * (depth + 2 * width)
    ThreadScratch.withBytes(floats * MemoryLayout<Float>.stride) { scratch in
      guard let sums = scratch.bindMemory(to: Float.self).baseAddress else { return }
      sums.update(repeating: 0, count: rows * width)
      for first in stride(from: 0, to: few.columns, by: depth) {
        let inner = first..<min(first + depth, few.columns)
        add(range, inner, to: sums, kernels)
      }
      for row in 0..<rows {
        let place = isTransposed ? range.lowerBound * rowLength + row : row * rowLength + range.lowerBound
        _ = kernels.store(
          c + HalfMatrix.elementBytes * place, isTransposed ? rowLength : 1, sums + row * width, width, 1)
      }
    }
  }

  /// Adds the products of some columns of both to sums `[few.rows, range.count]`, behind which there is room for as many and for the few.
  private func add(
    _ range: Range<Int>, _ inner: Range<Int>, to sums: UnsafeMutablePointer<Float>, _ kernels: HalfKernels
  ) {
    let (rows, width) = (few.rows, range.count)
    let products = sums + rows * width
    let floats = products + rows * width
    for row in 0..<rows {
      let from = few.from(row: row, column: inner.lowerBound)
      kernels.load(floats + row * inner.count, from, few.columnStride, inner.count, 1)
    }
    if !streamed.hasDenseRows {
      var call = CAttentionKernels_sums()
      call.values = stream(streamed.transposed, inner, range)
      call.weights = UnsafePointer(floats)
      call.weight_stride = inner.count
      call.row_count = rows
      call.output = sums
      call.output_stride = width
      kernels.sums(&call)
      return
    }
    var call = CAttentionKernels_products()
    call.keys = stream(streamed, range, inner)
    call.queries = UnsafeRawPointer(floats)
    call.query_stride = inner.count
    call.query_count = rows
    call.scale = 1
    call.scores = products
    call.score_stride = width
    kernels.products(&call)
    CAttentionKernels_active().pointee.f32.scale_and_add(sums, rows * width, 1, products, 1)
  }

  /// Rows of a matrix, as far as some of its columns.
  private func stream(
    _ matrix: HalfMatrix, _ rows: Range<Int>, _ columns: Range<Int>
  ) -> CAttentionKernels_stream {
    var stream = CAttentionKernels_stream()
    stream.rows = matrix.from(row: rows.lowerBound, column: columns.lowerBound)
    stream.row_stride = HalfMatrix.elementBytes * matrix.rowStride
    stream.count = rows.count
    stream.columns = columns.count
    stream.heads = 1
    stream.distance = max((16 << 10) / (HalfMatrix.elementBytes * columns.count), 1)
    return stream
  }
}
