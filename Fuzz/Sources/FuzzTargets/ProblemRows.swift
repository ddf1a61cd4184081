import Attention

/// Rows of keys or of values, `[B, Hkv, Tk]` of them, in the type that they are stored in.
struct ProblemRows {
  /// What numbers are stored as.
  enum Numbers: CaseIterable { case float32, bfloat16, float16, int8, float64 }

  let type: Numbers
  let shape: Shape
  /// As they are stored, exactly.
  let exact: [Double]
  /// Of int8.
  private let scales: [Float]

  var columns: Int { shape.fromEnd(1) }

  init(_ elements: [Double], shape: Shape, as type: Numbers) {
    self.type = type
    self.shape = shape
    switch type {
    case .float64: (exact, scales) = (elements, [])
    case .float32: (exact, scales) = (elements.map { Double(Float($0)) }, [])
    case .bfloat16: (exact, scales) = (elements.map { BFloat16(nearest: $0).doubleValue }, [])
    case .float16: (exact, scales) = (elements.map { Float16($0).doubleValue }, [])
    case .int8:
      let columns = shape.fromEnd(1)
      var (exact, scales): ([Double], [Float]) = ([], [])
      for start in stride(from: 0, to: elements.count, by: columns) {
        // No integer stands for what is no number.
        let row = elements[start..<start + columns].map { $0.isFinite ? Float($0) : 0 }
        let scale = (row.map(\.magnitude).max() ?? 0) / 127
        scales.append(scale)
        exact += row.map { scale == 0 ? 0 : Double(($0 / scale).rounded(.toNearestOrEven)) * Double(scale) }
      }
      (self.exact, self.scales) = (exact, scales)
    }
  }

  /// A tensor in which rows lie in another order.
  ///
  /// - Parameters:
  ///   - axes: those of the rows; one for the columns follows them.
  ///   - places: for each of its rows, which row of these it is; nil for one that nobody may look at.
  func tensor(_ axes: [Int], _ places: [Int?]) throws(AttentionError) -> any KeyValueTensor {
    switch type {
    case .float32: return try numbers(axes, places, Float.self)
    case .bfloat16: return try numbers(axes, places, BFloat16.self)
    case .float16: return try numbers(axes, places, Float16.self)
    case .float64: return try numbers(axes, places, Double.self)
    case .int8:
      let integers = places.flatMap { place in
        (0..<columns).map { column in
          guard let place, scales[place] != 0 else { return Int8(0) }
          return Int8((exact[place * columns + column] / Double(scales[place])).rounded())
        }
      }
      return QuantizedTensor(
        integers: try Tensor(integers, shape: Shape(axes + [columns])),
        scales: try Tensor(places.map { $0.map { scales[$0] } ?? .nan }, shape: Shape(axes)))
    }
  }

  private func numbers<E: AttentionElement>(
    _ axes: [Int], _ places: [Int?], _: E.Type
  ) throws(AttentionError) -> Tensor<E> {
    let elements = places.flatMap { place in
      (0..<columns).map { column in E(nearest: place.map { exact[$0 * columns + column] } ?? .nan) }
    }
    return try Tensor(elements, shape: Shape(axes + [columns]))
  }
}
