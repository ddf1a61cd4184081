import LinearAlgebra

/// A linear map of rows, `H·W + b`: what turns hidden states into queries, keys and values, and heads into hidden states.
///
/// For Float and Double, the types that BLAS multiplies.
public struct Projection<Element: AttentionElement & BLASScalar>: Sendable {
  /// `[inputWidth, outputWidth]`, in strides that BLAS reads where they are.
  public let weight: Tensor<Element>

  /// `[outputWidth]`, added to each row; nil for none.
  public let bias: Tensor<Element>?

  /// The map of rows `h` to `h·weight + bias`.
  ///
  /// - Parameters:
  ///   - weight: `[inputWidth, outputWidth]`. Kept as it is where one axis runs through neighbouring elements, as in transposed
  ///     views and slices of them; otherwise copied here, once.
  ///   - bias: `[outputWidth]`; copied where it is not contiguous.
  /// - Throws: ``AttentionError`` where the weight is no matrix, the bias does not fit it, or a width exceeds BLAS's 32 bits.
  public init(weight: Tensor<Element>, bias: Tensor<Element>? = nil) throws(AttentionError) {
    try self.init(weight: weight, bias: bias, names: ("weight", "bias"))
  }

  /// The map of rows `h` to `h·weightᵀ + bias`, for a weight in the layout of PyTorch's `nn.Linear`.
  ///
  /// - Parameters:
  ///   - weight: `[outputWidth, inputWidth]`; a transposed view of it is kept, which products read in place.
  ///   - bias: `[outputWidth]`.
  /// - Throws: ``AttentionError`` as ``init(weight:bias:)`` does.
  public init(transposed weight: Tensor<Element>, bias: Tensor<Element>? = nil) throws(AttentionError) {
    try self.init(transposed: weight, bias: bias, names: ("weight", "bias"))
  }

  /// The width of the rows that it takes.
  public var inputWidth: Int { weight.shape[0] }

  /// The width of the rows that it makes.
  public var outputWidth: Int { weight.shape[1] }

  /// Projects every row of a tensor.
  ///
  ///     output[…, j] = Σ_i input[…, i] · weight[i, j] + bias[j]
  ///
  /// All rows are one matrix product, shared among the threads of the library's pool. The same input gives the same bits
  /// on any number of threads; a row among more or fewer others may differ in its last bits, as BLAS chooses its kernel by
  /// the size. Rows of a batch are not multiplied apart to avoid that: each would read the whole weight.
  ///
  /// One allocation, the result. The bias takes no pass of its own: the result starts as rows of it. The input is read where
  /// it lies if its columns are neighbours and its rows follow each other at one distance (or the other way round); tokens
  /// cut out of longer sequences of several, for instance, are copied once.
  /// - Parameter input: `[…, inputWidth]`, one axis or more, any strides.
  /// - Returns: `[…, outputWidth]`, row-major.
  /// - Throws: ``AttentionError`` where the last axis is not ``inputWidth``, or the result exceeds memory or BLAS's 32 bits.
  public func callAsFunction(_ input: Tensor<Element>) throws(AttentionError) -> Tensor<Element> {
    try applied(to: input, named: "input")
  }
}

extension Projection {
  /// The same under other names in errors.
  init(
    weight: Tensor<Element>, bias: Tensor<Element>?, names: (weight: String, bias: String)
  ) throws(AttentionError) {
    guard weight.rank == 2 else {
      throw AttentionError(names.weight, "shape \(weight.shape) given, expected [inputWidth, outputWidth]")
    }
    try self.init(matrix: weight, given: weight.shape, bias: bias, names: names)
  }

  init(
    transposed weight: Tensor<Element>, bias: Tensor<Element>?, names: (weight: String, bias: String)
  ) throws(AttentionError) {
    guard weight.rank == 2 else {
      throw AttentionError(names.weight, "shape \(weight.shape) given, expected [outputWidth, inputWidth]")
    }
    try self.init(matrix: weight.transposed(), given: weight.shape, bias: bias, names: names)
  }

  /// A weight `[inputWidth, outputWidth]`, which the caller gave in shape `given`.
  private init(
    matrix: Tensor<Element>, given: Shape, bias: Tensor<Element>?, names: (weight: String, bias: String)
  ) throws(AttentionError) {
    for width in given where width > Int(Int32.max) {
      throw AttentionError(
        names.weight, "shape \(given) given, expected axes of at most \(Int32.max), BLAS's largest integer")
    }
    if let bias, bias.shape != [matrix.shape[1]] {
      throw AttentionError(
        names.bias,
        "shape \(bias.shape) given, expected [\(matrix.shape[1])] to match \(names.weight) \(given)")
    }
    let layout = MatrixLayout(
      rows: matrix.shape[0], columns: matrix.shape[1], rowStride: matrix.strides[0],
      columnStride: matrix.strides[1])
    self.weight = layout == nil ? try copied(matrix, named: names.weight) : matrix
    if let bias, !bias.isContiguous {
      self.bias = try copied(bias, named: names.bias)
    } else {
      self.bias = bias
    }
  }

  /// Part of the outputs, as views of weight and bias.
  ///
  /// - Precondition: `range` lies within the outputs.
  func columns(_ range: Range<Int>) -> Projection {
    Projection(
      viewOf: weight.sliced(axis: 1, range), bias.map { $0.sliced(axis: 0, range) })
  }

  private init(viewOf weight: Tensor<Element>, _ bias: Tensor<Element>?) {
    self.weight = weight
    self.bias = bias
  }

  /// ``callAsFunction(_:)`` with the input's name for errors.
  func applied(to input: Tensor<Element>, named argument: String) throws(AttentionError) -> Tensor<Element> {
    guard let width = input.shape.last, width == inputWidth else {
      throw AttentionError(
        argument,
        "shape \(input.shape) given, expected [..., \(inputWidth)] to match a weight \(weight.shape)")
    }
    guard let rows = Shape(input.shape.dropLast()).checkedElementCount else {
      throw AttentionError(argument, "shape \(input.shape) given, expected a number of rows that fits an Int")
    }
    var result: Tensor<Element> = try allocated([rows, outputWidth], for: argument, input.shape)
    // BLAS clears a result that it must not add to, so starting from the bias costs what starting from nothing does.
    if let bias { setRows(of: &result, to: bias) }
    var shape = input.shape
    shape[shape.count - 1] = outputWidth
    do {
      try BLAS.gemm(input.reshaped(to: [rows, width]), weight, beta: bias == nil ? 0 : 1, into: &result)
      return try result.reshaped(to: shape)
    } catch {
      throw AttentionError(error.kind, argument, "shape \(input.shape) given: \(error)")
    }
  }

  private func setRows(of result: inout Tensor<Element>, to bias: Tensor<Element>) {
    let (rows, width) = (result.shape[0], result.shape[1])
    // Tens of microseconds a task, on memory that is touched for the first time.
    let rowsPerTask = max((1 << 16) / max(width, 1), 1)
    result.withMutableView { result in
      bias.withUnsafePointer { bias in
        WorkerPool.shared.run((rows + rowsPerTask - 1) / rowsPerTask) { task in
          for row in task * rowsPerTask..<min((task + 1) * rowsPerTask, rows) {
            (result.base + row * width).update(from: bias, count: width)
          }
        }
      }
    }
  }
}

/// The same elements in fresh row-major storage; throws where there is no memory for it.
private func copied<Element: TensorElement>(
  _ tensor: Tensor<Element>, named argument: String
) throws(AttentionError) -> Tensor<Element> {
  var copy: Tensor<Element> = try allocated(tensor.shape, for: argument, tensor.shape)
  do {
    try copy.withMutableView { view throws(AttentionError) in try view.assign(from: tensor) }
  } catch {
    throw AttentionError(error.kind, argument, error.description)
  }
  return copy
}
