/// One value of a GGUF file's metadata, of the type that the file gives it.
public enum GGUFValue: Sendable, Equatable {
  /// Unsigned, 8 bits.
  case uint8(UInt8)
  /// Signed, 8 bits.
  case int8(Int8)
  /// Unsigned, 16 bits.
  case uint16(UInt16)
  /// Signed, 16 bits.
  case int16(Int16)
  /// Unsigned, 32 bits.
  case uint32(UInt32)
  /// Signed, 32 bits.
  case int32(Int32)
  /// IEEE 754 binary32.
  case float32(Float)
  /// True or false.
  case bool(Bool)
  /// UTF-8 text.
  case string(String)
  /// Values of one type.
  case array(GGUFArray)
  /// Unsigned, 64 bits.
  case uint64(UInt64)
  /// Signed, 64 bits.
  case int64(Int64)
  /// IEEE 754 binary64.
  case float64(Double)
}

/// An array of a GGUF file's metadata, of the element type that the file gives it.
public enum GGUFArray: Sendable, Equatable {
  /// Unsigned, 8 bits.
  case uint8([UInt8])
  /// Signed, 8 bits.
  case int8([Int8])
  /// Unsigned, 16 bits.
  case uint16([UInt16])
  /// Signed, 16 bits.
  case int16([Int16])
  /// Unsigned, 32 bits.
  case uint32([UInt32])
  /// Signed, 32 bits.
  case int32([Int32])
  /// IEEE 754 binary32.
  case float32([Float])
  /// True or false.
  case bool([Bool])
  /// UTF-8 text.
  case string([String])
  /// Arrays, each of an element type of its own.
  case array([GGUFArray])
  /// Unsigned, 64 bits.
  case uint64([UInt64])
  /// Signed, 64 bits.
  case int64([Int64])
  /// IEEE 754 binary64.
  case float64([Double])
}

/// The type of a metadata value; the raw value is the number that stands for it in a file.
enum GGUFValueType: UInt32, CaseIterable {
  case uint8, int8, uint16, int16, uint32, int32, float32, bool, string, array, uint64, int64, float64

  /// The bytes that a value takes, of a string or an array the fewest: its length, its element type and length.
  var minimumByteCount: Int {
    switch self {
    case .uint8, .int8, .bool: 1
    case .uint16, .int16: 2
    case .uint32, .int32, .float32: 4
    case .uint64, .int64, .float64, .string: 8
    case .array: 12
    }
  }
}
