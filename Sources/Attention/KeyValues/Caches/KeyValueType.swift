/// What a cache stores its keys, or its values, in.
///
/// | type | bytes of a row of `D` columns | beside them |
/// |---|---|---|
/// | `float32` | `4 · D` | |
/// | `bfloat16`, `float16` | `2 · D` | |
/// | `int8` | `D` | a Float a row, its scale |
/// | `int4` | `20 · ⌈D/32⌉`: 16 of integers and a scale for every 32 columns | |
///
/// An integer times its scale is the number that is stored; the scale is the largest size of the row's (the 32 columns') numbers
/// divided by 127 (7).
public enum KeyValueType: String, Sendable, CaseIterable, CustomStringConvertible {
  /// IEEE 754 binary32.
  case float32
  /// The upper half of a binary32.
  case bfloat16
  /// IEEE 754 binary16.
  case float16
  /// Integers −127 … 127 with a scale for each row.
  case int8
  /// Integers −7 … 7 with a scale for every 32 columns; for values only.
  case int4

  /// Bytes of the numbers of a row; an Int8 row's scale lies elsewhere, see ``scaleBytes``.
  ///
  /// - Parameter columns: 0 … 2²¹.
  public func rowBytes(columns: Int) -> Int { storage.rowBytes(columns) }

  /// Bytes that a row takes in the array of scales; 0 where scales lie inside the rows, or there are none.
  public var scaleBytes: Int {
    switch self {
    case .float32, .bfloat16, .float16, .int4: 0
    case .int8: MemoryLayout<Float>.stride
    }
  }

  /// Whether numbers are kept as integers with scales.
  public var isQuantized: Bool {
    switch self {
    case .float32, .bfloat16, .float16: false
    case .int8, .int4: true
    }
  }

  /// The lower-case name, `bfloat16` for instance.
  public var description: String { rawValue }
}
