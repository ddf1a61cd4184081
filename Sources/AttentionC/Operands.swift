import Attention
import CAttention

/// A tensor as a C caller describes it, checked but for what nobody can check: that the memory is there.
struct Operand {
  let argument: String
  let base: UnsafeMutableRawPointer
  let type: ElementType
  let shape: Shape
  let strides: Strides

  /// - Parameters:
  ///   - described: NULL for an error that names the argument.
  ///   - argument: its name in the C function.
  init(_ described: UnsafePointer<attention_tensor>?, _ argument: String) throws(AttentionError) {
    try self.init(described.required(argument).pointee, argument)
  }

  init(_ described: attention_tensor, _ argument: String) throws(AttentionError) {
    self.argument = argument
    type = try ElementType(c: described.type, argument)
    guard (1...4).contains(described.rank) else {
      throw AttentionError(argument, "rank \(described.rank) given, expected 1 to 4")
    }
    let rank = Int(described.rank)
    shape = Shape(first: rank, of: described.shape)
    guard let count = shape.checkedElementCount else {
      throw AttentionError(
        argument, "shape \(shape) given, expected lengths of 0 or more whose product fits 64 bits")
    }
    guard count > 0 else {
      // Nothing is there to be read or written: an address that is aligned for any element, and strides that overflow in no product.
      base = UnsafeMutableRawPointer(bitPattern: 64)!
      strides = Strides(repeating: 0, count: rank)
      return
    }
    strides = Strides(first: rank, of: described.strides)
    guard let data = described.data else {
      throw AttentionError(argument, "NULL given for shape \(shape), expected the address of its elements")
    }
    guard UInt(bitPattern: data).isMultiple(of: UInt(type.byteCount)) else {
      throw AttentionError(
        argument, "the address \(data) given, expected a multiple of \(type.byteCount) for \(type)")
    }
    guard Self.fits(shape, strides, type.byteCount) else {
      throw AttentionError(
        argument, "strides \(strides) of shape \(shape) given, expected elements within 63 bits of addresses")
    }
    base = data
  }

  /// Whether every element's distance from the first fits an Int in bytes, with room for the sums that kernels form.
  private static func fits(_ shape: Shape, _ strides: Strides, _ size: Int) -> Bool {
    var reach = 0
    for axis in 0..<shape.count {
      let (step, overflow) = strides[axis].magnitude.multipliedReportingOverflow(by: UInt(shape[axis]))
      guard !overflow, step <= UInt(Int.max / 64) else { return false }
      let (sum, isBeyond) = reach.addingReportingOverflow(Int(step))
      guard !isBeyond, sum <= Int.max / 64 else { return false }
      reach = sum
    }
    return reach <= Int.max / 64 / size
  }

  /// The tensor over the caller's memory, which the call alone uses.
  func tensor<Element: TensorElement>(as _: Element.Type) throws(AttentionError) -> Tensor<Element> {
    guard type == Element.elementType else { throw refused("\(Element.elementType)") }
    return try Tensor(
      unsafeExternal: UnsafePointer(base.assumingMemoryBound(to: Element.self)), shape: shape,
      strides: strides,
      owner: Borrowed())
  }

  /// The window onto the caller's memory, to be written.
  func view<Element: TensorElement>(of _: Element.Type) throws(AttentionError) -> MutableTensorView<Element> {
    guard type == Element.elementType else { throw refused("\(Element.elementType)") }
    return MutableTensorView(base: base.assumingMemoryBound(to: Element.self), shape: shape, strides: strides)
  }

  func refused(_ expected: String) -> AttentionError {
    AttentionError(argument, "\(type) given, expected \(expected)")
  }

  func refused(shape expected: String) -> AttentionError {
    AttentionError(argument, "shape \(shape) given, expected \(expected)")
  }
}

/// The caller keeps the memory for the length of the call; a value without content costs no reference.
struct Borrowed: Sendable {}

extension AxisValues {
  /// The first of the four numbers that a C struct has.
  fileprivate init(first count: Int, of values: (Int64, Int64, Int64, Int64)) {
    self.init(repeating: 0, count: count)
    self[0] = Int(values.0)
    if count > 1 { self[1] = Int(values.1) }
    if count > 2 { self[2] = Int(values.2) }
    if count > 3 { self[3] = Int(values.3) }
  }
}

extension ElementType {
  init(c type: attention_type, _ argument: String) throws(AttentionError) {
    switch Int(type) {
    case ATTENTION_FLOAT32: self = .float32
    case ATTENTION_FLOAT64: self = .float64
    case ATTENTION_FLOAT16: self = .float16
    case ATTENTION_BFLOAT16: self = .bfloat16
    case ATTENTION_INT8: self = .int8
    case ATTENTION_BOOL: self = .bool
    case ATTENTION_INT32: self = .int32
    default:
      throw AttentionError(
        argument, "element type \(type) given, expected ATTENTION_FLOAT32 to ATTENTION_INT32")
    }
  }
}

/// What is done for each element type of queries, keys and values.
///
/// The four cases stand here once; who needs another type than these says which it expects.
protocol ForEachFloatType {
  associatedtype Result
  func callAsFunction<Element: AttentionElement>(_: Element.Type) throws(AttentionError) -> Result
}

extension Operand {
  /// Calls `body` with the Swift type of the elements.
  func withFloatType<Body: ForEachFloatType>(_ body: Body) throws(AttentionError) -> Body.Result {
    switch type {
    case .float32: try body(Float.self)
    case .float64: try body(Double.self)
    case .float16: try body(Float16.self)
    case .bfloat16: try body(BFloat16.self)
    case .int64, .int32, .int8, .uint8, .bool: throw refused("float32, float64, float16 or bfloat16")
    }
  }
}
