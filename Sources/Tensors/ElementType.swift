/// The kinds of numbers that a tensor can hold.
public enum ElementType: String, CaseIterable, Sendable, CustomStringConvertible {
  /// IEEE 754 binary64.
  case float64
  /// IEEE 754 binary32.
  case float32
  /// IEEE 754 binary16.
  case float16
  /// The upper half of a binary32.
  case bfloat16
  /// Signed integers of 64 bits.
  case int64
  /// Signed integers of 32 bits.
  case int32
  /// Signed integers of 8 bits.
  case int8
  /// Unsigned integers of 8 bits.
  case uint8
  /// One byte, 0 or 1.
  case bool

  /// Bytes of one element in memory and in files.
  public var byteCount: Int {
    switch self {
    case .float64, .int64: 8
    case .float32, .int32: 4
    case .float16, .bfloat16: 2
    case .int8, .uint8, .bool: 1
    }
  }

  /// The Swift type of such elements, to call a generic function with.
  package var swiftType: any TensorElement.Type {
    switch self {
    case .float64: Double.self
    case .float32: Float.self
    case .float16: Float16.self
    case .bfloat16: BFloat16.self
    case .int64: Int64.self
    case .int32: Int32.self
    case .int8: Int8.self
    case .uint8: UInt8.self
    case .bool: Bool.self
    }
  }

  /// The lower-case name that NumPy uses, `float32` for instance.
  public var description: String { rawValue }
}

/// A type whose values a ``Tensor`` can hold: plain bits, of one of the kinds in ``ElementType``.
public protocol TensorElement: BitwiseCopyable, Sendable, Equatable {
  /// Which kind this is.
  static var elementType: ElementType { get }

  /// The value of a fresh element.
  static var zero: Self { get }

  /// The value as a Double: exact but for integers beyond 2⁵³; `true` is 1.
  var doubleValue: Double { get }

  /// The nearest value (ties to even) of this type.
  ///
  /// Integers round towards zero and saturate at their limits, NaN becomes 0; a Bool is true for everything but 0.
  init(nearest value: Double)
}

/// Element types that hold fractions: those that matrix products, softmax and attention work on.
public protocol FloatingPointElement: TensorElement {}

extension Double: FloatingPointElement {
  /// `float64`
  public static var elementType: ElementType { .float64 }
  /// The value itself.
  public var doubleValue: Double { self }
  /// The value itself.
  public init(nearest value: Double) { self = value }
}

extension Float: FloatingPointElement {
  /// `float32`
  public static var elementType: ElementType { .float32 }
  /// The value, exactly.
  public var doubleValue: Double { Double(self) }
  /// Rounds to nearest, ties to even.
  public init(nearest value: Double) { self = Float(value) }
}

extension Float16: FloatingPointElement {
  /// `float16`
  public static var elementType: ElementType { .float16 }
  /// The value, exactly.
  public var doubleValue: Double { Double(self) }
  /// Rounds to nearest, ties to even.
  public init(nearest value: Double) { self = Float16(value) }
}

extension BFloat16: FloatingPointElement {
  /// `bfloat16`
  public static var elementType: ElementType { .bfloat16 }
  /// The value, exactly.
  public var doubleValue: Double { Double(Float(self)) }
}

extension TensorElement where Self: FixedWidthInteger {
  // By way of Int64, which holds every integer type here: conversions between it and Double are one instruction, those of
  // a generic integer a long call.

  /// The nearest Double.
  public var doubleValue: Double { Double(Int64(truncatingIfNeeded: self)) }

  /// Rounds towards zero, saturates at the type's limits; NaN becomes 0.
  public init(nearest value: Double) {
    if value.isNaN {
      self = 0
    } else if value >= Self.max.doubleValue {
      self = .max
    } else if value <= Self.min.doubleValue {
      self = .min
    } else {
      self.init(truncatingIfNeeded: Int64(value))
    }
  }
}

extension Int64: TensorElement {
  /// `int64`
  public static var elementType: ElementType { .int64 }
}

extension Int32: TensorElement {
  /// `int32`
  public static var elementType: ElementType { .int32 }
}

extension Int8: TensorElement {
  /// `int8`
  public static var elementType: ElementType { .int8 }
}

extension UInt8: TensorElement {
  /// `uint8`
  public static var elementType: ElementType { .uint8 }
}

extension Bool: TensorElement {
  /// `bool`
  public static var elementType: ElementType { .bool }
  /// `false`
  public static var zero: Bool { false }
  /// 1 for true, 0 for false.
  public var doubleValue: Double { self ? 1 : 0 }
  /// True for everything but 0.
  public init(nearest value: Double) { self = value != 0 }
}
