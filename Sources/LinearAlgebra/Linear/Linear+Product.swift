import CAttentionKernels
import Parallelism
import Tensors

extension Linear {
  /// Maps every row of a tensor.
  ///
  /// One allocation, the result. Rows are brought into the weight's form in scratch; those whose columns are no neighbours are copied first.
  /// - Parameters:
  ///   - input: `[…, inputWidth]`, one axis or more, any strides.
  ///   - pool: the threads that work on it; little work stays on the calling thread.
  /// - Returns: `[…, outputWidth]`, row-major.
  /// - Throws: `AttentionError` where the last axis is not ``inputWidth``, or there is no memory for the result.
  public func callAsFunction(
    _ input: Tensor<Float>, on pool: WorkerPool = .shared
  ) throws(AttentionError) -> Tensor<Float> {
    var shape = input.shape
    if !shape.isEmpty { shape[shape.count - 1] = outputWidth }
    try checkAllocation(shape, of: Float.self, operation: "Linear", argument: "input")
    guard var result = Tensor<Float>.uninitialized(shape) else {
      throw AttentionError(.outOfMemory, "input", "no memory for a result of shape \(shape)")
    }
    try result.withMutableView { (view) throws(AttentionError) in try write(input, to: view, on: pool) }
    return result
  }

  /// The same in memory of the caller's, in place of what it holds or added to it; no allocation but the pool's.
  ///
  /// - Parameters:
  ///   - input: `[…, inputWidth]`, any strides; not in `output`'s memory.
  ///   - output: `[…, outputWidth]`, neighbouring columns, rows at one distance.
  ///   - adding: whether the result is added to what `output` holds: a residual connection costs no pass of its own.
  ///   - pool: the threads that work on it; little work stays on the calling thread.
  /// - Throws: `AttentionError` where the shapes do not fit; nothing is written then.
  public func write(
    _ input: Tensor<Float>, to output: MutableTensorView<Float>, adding: Bool = false,
    on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    guard let width = input.shape.last, width == inputWidth else {
      throw AttentionError("input", "shape \(input.shape) given, expected [..., \(inputWidth)]")
    }
    guard output.shape == Shape(Array(input.shape.dropLast()) + [outputWidth]) else {
      throw AttentionError(
        "output", "shape \(output.shape) given, expected \(Array(input.shape.dropLast()) + [outputWidth])")
    }
    let rows = input.shape.dropLast().reduce(1, *)
    if rows == 0 || outputWidth == 0 { return }
    guard let rowStride = Self.rowStride(output.shape, output.strides),
      rows == 1 || rowStride.magnitude >= outputWidth
    else {
      throw AttentionError(
        "output",
        "strides \(output.strides) given, expected neighbouring columns and rows at one distance that do not overlap"
      )
    }
    let source = Self.rowStride(input.shape, input.strides) == nil ? input.contiguousCopy() : input
    let sourceStride = Self.rowStride(source.shape, source.strides) ?? inputWidth
    source.withUnsafePointer { numbers in
      withInputs(rows: rows, on: pool) {
        $0.set(row: $1, to: numbers + $1 * sourceStride)
      } body: {
        multiply($0, into: output.base, stride: rowStride, adding: adding, on: pool)
      }
    }
  }

  /// Maps rows that `prepare` makes, in scratch of the thread that it runs on: what lies between two products of a model goes from row
  /// to row without a tensor.
  ///
  /// - Parameters:
  ///   - rows: how many.
  ///   - prepare: writes the row of an index, ``inputWidth`` Floats; called on several threads.
  ///   - outputs: row 0, `stride` Floats from row to row.
  package func write(
    rows: Int, to outputs: UnsafeMutablePointer<Float>, stride: Int, adding: Bool = false,
    on pool: WorkerPool, preparing prepare: (Int, UnsafeMutablePointer<Float>) -> Void
  ) {
    if rows == 0 { return }
    withInputs(rows: rows, on: pool) { inputs, row in
      ThreadScratch.withBytes(inputWidth * MemoryLayout<Float>.stride) { bytes in
        guard let scratch = bytes.bindMemory(to: Float.self).baseAddress else { return }
        prepare(row, scratch)
        inputs.set(row: row, to: scratch)
      }
    } body: {
      multiply($0, into: outputs, stride: stride, adding: adding, on: pool)
    }
  }

  /// The distance between rows where they have one, and neighbouring columns; nil elsewhere. Axes of one row have no say.
  private static func rowStride(_ shape: Shape, _ strides: Strides) -> Int? {
    guard let last = strides.last, shape.fromEnd(1) <= 1 || last == 1 else { return nil }
    var distance: Int?
    var rows = 1
    for axis in stride(from: shape.count - 2, through: 0, by: -1) where shape[axis] != 1 {
      let inner = distance ?? strides[axis]
      if strides[axis] != inner * rows { return nil }
      distance = inner
      rows *= shape[axis]
    }
    return distance ?? shape.fromEnd(1)
  }

  /// Calls `body` with rows of inputs in this weight's form, in scratch of the calling thread.
  package func withInputs(
    rows: Int, on pool: WorkerPool, setting set: (LinearInputs, Int) -> Void, body: (LinearInputs) -> Void
  ) {
    ThreadScratch.withBytes(LinearInputs.byteCount(type, width: inputWidth, rows: rows)) { bytes in
      guard let base = bytes.baseAddress else { return }
      let inputs = LinearInputs(type, width: inputWidth, rows: rows, in: base)
      forEachRow(rows, work: inputWidth, on: pool) { set(inputs, $0) }
      body(inputs)
    }
  }

  /// Rows of outputs, `stride` Floats apart.
  package func multiply(
    _ inputs: LinearInputs, into outputs: UnsafeMutablePointer<Float>, stride: Int, adding: Bool = false,
    on pool: WorkerPool
  ) {
    precondition(
      inputs.type == type && inputs.width == inputWidth, "inputs of another width or weight type")
    let cut = LinearTasks(rows: inputs.rows, outputs: outputWidth, inputs: inputWidth)
    let kernel = type.kernel
    panels.withUnsafePointer { panels in
      let body = { (task: Int) in
        let (rows, columns) = cut[task]
        var call = CAttentionKernels_linear(
          inputs: inputs.base + rows.lowerBound * inputs.stride, input_stride: inputs.stride,
          rows: rows.count, inputs_per_row: inputWidth,
          input_scales: inputs.scales.map { UnsafePointer($0 + rows.lowerBound * inputs.scalesPerRow) },
          scale_stride: inputs.scalesPerRow, panels: panels, panel_stride: panelBytes,
          output_count: outputWidth, first_output: columns.lowerBound, end_output: columns.upperBound,
          bias: bias?.unsafeBase, adds: adding ? 1 : 0, outputs: outputs + rows.lowerBound * stride,
          output_stride: stride)
        kernel(&call)
      }
      pool.run(cut.count, maximumThreads: cut.isSmall ? 1 : .max, body)
    }
    withExtendedLifetime(bias) {}
  }
}

/// Runs `body` for rows, several a task, on the calling thread where there is little to do.
package func forEachRow(_ rows: Int, work: Int, on pool: WorkerPool, _ body: (Int) -> Void) {
  // Converting 16 Ki numbers takes a few microseconds, about what handing over to another thread costs.
  let rowsPerTask = max((1 << 14) / max(work, 1), 1)
  let tasks = (rows + rowsPerTask - 1) / rowsPerTask
  pool.run(tasks) { task in
    for row in task * rowsPerTask..<min((task + 1) * rowsPerTask, rows) { body(row) }
  }
}

extension WeightType {
  var kernel: @convention(c) (UnsafePointer<CAttentionKernels_linear>?) -> Void {
    let kernels = Linear.kernels.pointee
    return switch self {
    case .float32: kernels.linear_f32
    case .float16: kernels.linear_f16
    case .bfloat16: kernels.linear_bf16
    case .int8: kernels.linear_i8
    }
  }
}
