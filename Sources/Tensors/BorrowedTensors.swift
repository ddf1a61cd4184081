// Memory that is borrowed for the length of one call: spans in, tensors for `body`, nothing left over.

/// Calls `body` with a tensor over each span; no copy.
///
///     let average = try withTensors(over: values.span, weights.span, shapes: [9, 64], [9]) {
///       values, weights throws(AttentionError) in
///       try weightedAverage(of: values, weights: weights)
///     }
///
/// Each tensor is row-major, starts at its span's first element and only reads: a write to it copies first. Spans may be of
/// different element types. A closure that throws says what, as above: Swift takes it to throw any error otherwise.
///
/// Allocates one small object per span.
/// - Parameters:
///   - span: the elements of each tensor; a span may have more than its shape uses, as a buffer with room to grow has.
///   - shapes: one shape per span, in the same order.
///   - body: uses the tensors. No tensor over a span, and no view of one, may outlive it: return copies (``Tensor/contiguousCopy()``).
/// - Returns: what `body` returns.
/// - Throws: ``AttentionError`` where there are more or fewer shapes than spans, or a span has fewer elements than its shape;
///   what `body` throws.
/// - Precondition: no tensor over a span is alive when `body` is done.
public func withTensors<each E: TensorElement, R>(
  over span: repeat Span<each E>, shapes: Shape...,
  body: (repeat Tensor<each E>) throws(AttentionError) -> R
) throws(AttentionError) -> R {
  var spans = 0
  for _ in repeat (each E).self { spans += 1 }
  var borrowed = try BorrowedMemory(shapes, spans: spans)
  (repeat try borrowed.borrow(each span))
  defer { borrowed.end() }
  var next = 0
  return try body(repeat borrowed.tensor(of: (each E).self, &next))
}

/// Calls `body` with a view that writes a span, and a tensor over each of other spans; no copy.
///
///     var output = [Float](repeating: 0, count: 2 * 64)
///     var outputSpan = output.mutableSpan
///     try withTensors(over: values.span, shapes: [2, 64], writing: &outputSpan, shape: [2, 64]) {
///       output, values throws(AttentionError) in
///       try output.assign(from: values)
///     }
///
/// As the one without an output. The view is row-major and starts at the output's first element; like every
/// ``MutableTensorView`` it is valid during the call only.
/// - Parameters:
///   - span: the elements of each tensor.
///   - shapes: one shape per span, in the same order.
///   - output: the elements that `body` may write; those past `shape`'s count stay as they are.
///   - shape: the shape of the view.
///   - body: receives the view first, then the tensors.
/// - Returns: what `body` returns.
/// - Throws: ``AttentionError`` as the one without an output, and where the output has fewer elements than its shape; what `body` throws.
/// - Precondition: no tensor over a span is alive when `body` is done.
public func withTensors<each E: TensorElement, O: TensorElement, R>(
  over span: repeat Span<each E>, shapes: Shape..., writing output: inout MutableSpan<O>, shape: Shape,
  body: (MutableTensorView<O>, repeat Tensor<each E>) throws(AttentionError) -> R
) throws(AttentionError) -> R {
  var spans = 0
  for _ in repeat (each E).self { spans += 1 }
  var borrowed = try BorrowedMemory(shapes, spans: spans)
  (repeat try borrowed.borrow(each span))
  try checkCount(output.count, shape, "output", "the span")
  defer { borrowed.end() }
  return try output.withUnsafeMutableBufferPointer { buffer throws(AttentionError) in
    let view = MutableTensorView(base: buffer.baseAddress ?? danglingPointer(), shape: shape)
    var next = 0
    return try body(view, repeat borrowed.tensor(of: (each E).self, &next))
  }
}

/// The memory of the spans of one call.
private struct BorrowedMemory {
  private let shapes: [Shape]
  private var memories: [TensorMemory] = []

  init(_ shapes: [Shape], spans: Int) throws(AttentionError) {
    guard shapes.count == spans else {
      throw AttentionError("shapes", "\(shapes.count) shapes for \(spans) spans, expected one each")
    }
    self.shapes = shapes
    memories.reserveCapacity(spans)
  }

  /// Takes the next span, which stays valid until the call that it was passed to returns.
  mutating func borrow<E: TensorElement>(_ span: Span<E>) throws(AttentionError) {
    try checkCount(span.count, shapes[memories.count], "over", "span \(memories.count)")
    let base = span.withUnsafeBufferPointer { $0.baseAddress } ?? UnsafePointer(danglingPointer())
    memories.append(
      TensorMemory(external: UnsafeMutableRawPointer(mutating: base), isWritable: false, owner: nil))
  }

  /// The tensor over the next span; the caller counts.
  func tensor<E: TensorElement>(of type: E.Type, _ next: inout Int) -> Tensor<E> {
    defer { next += 1 }
    let shape = shapes[next]
    return Tensor(
      memory: memories[next], layout: TensorLayout(shape: shape, strides: shape.rowMajorStrides))
  }

  /// Stops the program where a tensor is left that would read memory which is no longer there.
  mutating func end() {
    for index in memories.indices {
      precondition(
        isKnownUniquelyReferenced(&memories[index]),
        "a tensor over span \(index), of shape \(shapes[index]), is still in use after the body of withTensors"
      )
    }
  }
}

/// Throws where a span has fewer elements than a shape.
private func checkCount(
  _ count: Int, _ shape: Shape, _ argument: String, _ span: String
) throws(AttentionError) {
  guard let needed = shape.checkedElementCount else {
    throw AttentionError(argument, "the element count of shape \(shape) is negative or does not fit an Int")
  }
  guard count >= needed else {
    throw AttentionError(
      argument, "\(span) has \(count) elements, expected at least \(needed) for shape \(shape)")
  }
}

/// An aligned address for an empty span, which may have none. Nothing is read or written there.
private func danglingPointer<E>() -> UnsafeMutablePointer<E> {
  UnsafeMutablePointer(bitPattern: MemoryLayout<E>.alignment)!
}
