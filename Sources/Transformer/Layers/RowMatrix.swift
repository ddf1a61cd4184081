import LinearAlgebra
import Parallelism
import Tensors

/// Rows of Floats that layers write and read in turn: the working memory of one pass through a model.
///
/// The only place of this target where tensors' memory is written by address. Whoever has a matrix is the only one to use it, and
/// hands out ``tensor`` to calls that read it and return.
struct RowMatrix {
  /// `[rows, width]`
  let tensor: Tensor<Float>
  let base: UnsafeMutablePointer<Float>
  let width: Int
  var rows: Int { tensor.shape[0] }

  /// Memory that is not initialised.
  ///
  /// - Throws: ``Attention/AttentionError`` where the system has none.
  init(rows: Int, width: Int) throws(AttentionError) {
    let bytes = rows.multipliedReportingOverflow(by: max(width, 1) * MemoryLayout<Float>.stride)
    guard !bytes.overflow, let memory = Tensor<Float>.uninitialized([rows, width]) else {
      throw AttentionError(.outOfMemory, "tokens", "no memory for \(rows) rows of \(width) numbers")
    }
    tensor = memory
    base = UnsafeMutablePointer(mutating: memory.unsafeBase)
    self.width = width
  }

  subscript(row: Int) -> UnsafeMutablePointer<Float> { base + row * width }

  /// Heads of some columns, `[rows, heads, columns of a head]`; no copy.
  func heads(_ heads: Int, of columns: Range<Int>) throws(AttentionError) -> Tensor<Float> {
    try tensor.sliced(axis: 1, columns).reshaped(to: [rows, heads, columns.count / heads])
  }

  /// The first columns as bfloat16, `[rows, columns or some more]`, rounded on all threads.
  func rounded(_ columns: Int, on pool: WorkerPool) -> Tensor<BFloat16> {
    // A row of a product's inputs is what a rounded row is.
    let stride = LinearInputs.byteCount(.bfloat16, width: columns, rows: 1) / MemoryLayout<BFloat16>.stride
    return Tensor(unsafeUninitializedShape: [rows, stride]) { target in
      guard let base = target.baseAddress else { return }
      let inputs = LinearInputs(.bfloat16, width: columns, rows: rows, in: base)
      forEachRow(rows, work: columns, on: pool) { inputs.set(row: $0, to: self[$0]) }
    }
  }

  /// The same for writing, with the axes that rotary embeddings take: `[1, heads, rows, columns of a head]`.
  func mutableHeads(_ heads: Int, of columns: Range<Int>) -> MutableTensorView<Float> {
    let depth = columns.count / heads
    return MutableTensorView(
      base: base + columns.lowerBound, shape: [1, heads, rows, depth],
      strides: [rows * width, depth, width, 1])
  }
}
