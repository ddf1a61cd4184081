import Tensors

/// Rows of integers with a scale each, and the numbers that they stand for.
struct QuantizedRows {
  let integers: Tensor<Int8>
  let scales: Tensor<Float>

  /// Numbers of unit variance, rounded to 127 steps on either side of 0 as far as the row's largest.
  init(_ shape: Shape, seed: UInt64) throws {
    let numbers = randomTensor(shape, seed: seed, as: Float.self).elements
    let columns = shape.fromEnd(1)
    var (integers, scales): ([Int8], [Float]) = ([], [])
    for start in stride(from: 0, to: numbers.count, by: columns) {
      let row = numbers[start..<start + columns]
      let scale = (row.map(\.magnitude).max() ?? 0) / 127
      scales.append(scale)
      integers += row.map { Int8(($0 / scale).rounded(.toNearestOrEven)) }
    }
    self.init(
      integers: try Tensor(integers, shape: shape), scales: try Tensor(scales, shape: Shape(shape.dropLast()))
    )
  }

  init(integers: Tensor<Int8>, scales: Tensor<Float>) {
    self.integers = integers
    self.scales = scales
  }

  /// Integer times scale, exactly.
  var exact: Tensor<Double> {
    get throws {
      let columns = integers.shape.fromEnd(1)
      let scales = scales.elements
      let numbers = integers.elements.enumerated().map { Double($1) * Double(scales[$0 / columns]) }
      return try Tensor(numbers, shape: integers.shape)
    }
  }

  /// `[B, H, T, D]` as `[B, T, H·D]` and `[B, T, H]`.
  var merged: (integers: Tensor<Int8>, scales: Tensor<Float>) {
    get throws { (try integers.mergeHeads(), scales.permuted(0, 2, 1)) }
  }

  /// `[1, H, T, D]` as pages of `size` rows, the last one first, and `[pages, size, H]`.
  func pages(of size: Int) throws -> QuantizedRows {
    let count = integers.shape[2] / size
    func pages<E: TensorElement>(_ rows: Tensor<E>) throws -> Tensor<E> {
      try Tensor.concatenate(
        (0..<count).reversed().map { rows.sliced(axis: 1, $0 * size..<$0 * size + size) }, axis: 0)
    }
    return QuantizedRows(
      integers: try pages(integers.permuted(0, 2, 1, 3)), scales: try pages(scales.permuted(0, 2, 1)))
  }

  /// `[1, H, T, D]` as `[T, H, D]` and `[T, H]`.
  var packed: QuantizedRows {
    QuantizedRows(
      integers: integers.selected(axis: 0, 0).permuted(1, 0, 2),
      scales: scales.selected(axis: 0, 0).permuted(1, 0))
  }

  /// The same with NaN as the scales of rows `first...` of one sequence.
  func withoutScales(from first: Int, sequence: Int = 0) throws -> QuantizedRows {
    var scales = scales.contiguousCopy()
    try scales.withMutableView { view in
      try view.selected(axis: 0, sequence).sliced(axis: 1, first..<integers.shape[2]).assign(
        from: Tensor(repeating: Float.nan, shape: [integers.shape[1], integers.shape[2] - first]))
    }
    return QuantizedRows(integers: integers, scales: scales)
  }
}
