extension Tensor {
  /// A tensor with these elements in row-major order; one copy.
  ///
  /// - Throws: ``AttentionError`` where the shape does not have exactly as many elements.
  @inlinable
  public init(_ elements: some Collection<Element>, shape: Shape) throws(AttentionError) {
    guard shape.checkedElementCount == elements.count else {
      throw AttentionError(
        "Tensor(_:shape:)", "\(elements.count) elements do not fill shape \(shape)")
    }
    self.init(unsafeUninitializedShape: shape) { _ = $0.initialize(fromContentsOf: elements) }
  }

  /// A tensor with the same value everywhere.
  public init(repeating value: Element, shape: Shape) {
    self.init(unsafeUninitializedShape: shape) { $0.initialize(repeating: value) }
  }

  /// A tensor of zeros (`false` for Bool).
  public static func zeros(_ shape: Shape) -> Tensor {
    Tensor(repeating: .zero, shape: shape)
  }
}
