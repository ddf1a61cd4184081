import LinearAlgebra

/// What numbers are stored in: queries, output, masks, and keys and values that are not quantised: the element types that attention computes on.
enum StorageType: Hashable, Sendable, CustomStringConvertible {
  case float64, float32, float16, bfloat16

  /// The storage type of an element type; nil for those that attention does not compute on.
  init?(_ type: ElementType) {
    switch type {
    case .float64: self = .float64
    case .float32: self = .float32
    case .float16: self = .float16
    case .bfloat16: self = .bfloat16
    case .int64, .int32, .int8, .uint8, .bool: return nil
    }
  }

  init<Element: AttentionElement>(_: Element.Type) {
    guard let type = StorageType(Element.elementType) else {
      preconditionFailure("attention does not compute on \(Element.elementType)")
    }
    self = type
  }

  /// The storage type of a tensor that was made from one of an ``AttentionElement``.
  init(of tensor: AnyTensor) {
    guard let type = StorageType(tensor.elementType) else {
      preconditionFailure("attention does not compute on \(tensor.elementType)")
    }
    self = type
  }

  var elementType: ElementType {
    switch self {
    case .float64: .float64
    case .float32: .float32
    case .float16: .float16
    case .bfloat16: .bfloat16
    }
  }

  var byteCount: Int {
    switch self {
    case .float64: 8
    case .float32: 4
    case .float16, .bfloat16: 2
    }
  }

  var description: String { "\(elementType)" }
}

/// What scores, weights and sums are kept in.
enum AccumulatorType: Hashable, Sendable, CustomStringConvertible {
  case float32, float64

  init<Scalar: AttentionElement & BLASScalar>(_: Scalar.Type) {
    self = Scalar.elementType == .float64 ? .float64 : .float32
  }

  /// The same as a storage type.
  var storage: StorageType {
    switch self {
    case .float32: .float32
    case .float64: .float64
    }
  }

  var description: String { "\(storage)" }
}
