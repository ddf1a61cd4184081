/// Rows of keys or values `[rows, H, D]` as bytes, for who sends them and who receives them.
extension StoredTensor {
  /// Some of the rows, where they lie.
  package func rows(_ range: Range<Int>) -> StoredTensor {
    let part = elements.sliced(axis: 0, range)
    guard let scales, let integers = part.tensor(as: Int8.self) else { return StoredTensor(numbers: part) }
    return StoredTensor(integers: integers, scales: scales.sliced(axis: 0, range))
  }

  /// So many rows of the same type, heads and width that take the memory of one: for checks, which look at no number.
  ///
  /// - Throws: ``AttentionError`` where there is no memory for that one.
  package func standIn(rows: Int) throws(AttentionError) -> StoredTensor {
    let one = try StoredTensor.uninitialized(like: self, rows: 1)
    let elements = try one.elements.broadcast(to: [rows, shape[1], shape[2]])
    guard let scales = one.scales, let integers = elements.tensor(as: Int8.self) else {
      return StoredTensor(numbers: elements)
    }
    return StoredTensor(integers: integers, scales: try scales.broadcast(to: [rows, shape[1]]))
  }

  /// What rows are stored in, in words.
  package var typeName: String { "\(type)" }

  /// The shape, `[rows, H, D]`.
  package var rowShape: Shape { shape }

  /// Bytes of one row of all heads, its scales included.
  package var bytesPerRow: Int {
    let heads = shape[1]
    return heads * shape[2] * elements.elementType.byteCount
      + (scales == nil ? 0 : heads * MemoryLayout<Float>.stride)
  }

  /// The same rows one after the other in memory: itself where they lie so, else a copy.
  ///
  /// - Throws: ``AttentionError`` where there is no memory for a copy.
  package func rowMajor() throws(AttentionError) -> StoredTensor {
    let isRowMajor = elements.strides == elements.shape.rowMajorStrides || elements.count == 0
    if isRowMajor && (scales?.isContiguous ?? true) { return self }
    let copy = try StoredTensor.uninitialized(like: self, rows: shape[0])
    func assign<Element: TensorElement>(_ type: Element.Type) throws(AttentionError) {
      guard let source = elements.tensor(as: type), let target = copy.elements.tensor(as: type) else {
        return
      }
      try MutableTensorView(base: UnsafeMutablePointer(mutating: target.unsafeBase), shape: shape).assign(
        from: source)
    }
    switch type {
    case .numbers(.float32): try assign(Float.self)
    case .numbers(.float64): try assign(Double.self)
    case .numbers(.float16): try assign(Float16.self)
    case .numbers(.bfloat16): try assign(BFloat16.self)
    case .int8, .int4, .planes: try assign(Int8.self)
    }
    if let scales, let target = copy.scales {
      try MutableTensorView(base: UnsafeMutablePointer(mutating: target.unsafeBase), shape: scales.shape)
        .assign(from: scales)
    }
    return copy
  }

  /// Room for rows as wide as those of another tensor, in the same type; the caller writes them.
  ///
  /// - Throws: ``AttentionError`` where there is no memory for it.
  package static func uninitialized(
    like other: StoredTensor, rows: Int
  ) throws(AttentionError) -> StoredTensor {
    let shape: Shape = [rows, other.shape[1], other.shape[2]]
    func numbers<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) -> StoredTensor {
      let tensor: Tensor<Element> = try allocated(shape, for: "keyValues", shape)
      return StoredTensor(numbers: AnyTensor(tensor))
    }
    switch other.type {
    case .numbers(.float32): return try numbers(Float.self)
    case .numbers(.float64): return try numbers(Double.self)
    case .numbers(.float16): return try numbers(Float16.self)
    case .numbers(.bfloat16): return try numbers(BFloat16.self)
    case .int8, .int4, .planes:
      return StoredTensor(
        integers: try allocated(shape, for: "keyValues", shape),
        scales: try allocated([rows, other.shape[1]], for: "keyValues", shape))
    }
  }

  /// The memory of rows that lie one after the other: elements, then scales where there are any. Valid while the tensor is alive.
  package var bytes: [UnsafeRawBufferPointer] {
    let count = elements.count * elements.elementType.byteCount
    let numbers = UnsafeRawBufferPointer(start: elements.unsafeBase, count: count)
    guard let scales else { return [numbers] }
    return [
      numbers,
      UnsafeRawBufferPointer(
        start: UnsafeRawPointer(scales.unsafeBase), count: scales.count * MemoryLayout<Float>.stride),
    ]
  }

  /// The rows as numbers of another type, or as integers with scales.
  ///
  /// - Throws: ``AttentionError`` where integers cannot hold them, or there is no memory.
  package func converted(to type: KeyValueType) throws(AttentionError) -> StoredTensor {
    func convert<Element: AttentionElement>(_ tensor: Tensor<Element>) throws(AttentionError) -> StoredTensor
    {
      switch type {
      case .float32: return tensor.converted(to: Float.self).stored
      case .bfloat16: return tensor.converted(to: BFloat16.self).stored
      case .float16: return tensor.converted(to: Float16.self).stored
      case .int8: return try QuantizedTensor(quantizing: tensor).stored
      case .int4, .planes:
        throw AttentionError("wire", "\(type) given, expected float32, float16, bfloat16 or int8")
      }
    }
    if let floats = elements.tensor(as: Float.self) { return try convert(floats) }
    if let doubles = elements.tensor(as: Double.self) { return try convert(doubles) }
    if let halves = elements.tensor(as: Float16.self) { return try convert(halves) }
    if let halves = elements.tensor(as: BFloat16.self) { return try convert(halves) }
    if type == .int8 { return self }
    throw AttentionError("wire", "\(type) given for rows of int8, expected int8, or nil for what they are")
  }
}
