/// What a cache stores its keys, or its values, in.
///
/// | type | bytes of a row of `D` columns | beside them |
/// |---|---|---|
/// | `float32` | `4 · D` | |
/// | `bfloat16`, `float16` | `2 · D` | |
/// | `int8` | `D` | a Float a row, its scale |
/// | `int4` | `20 · ⌈D/32⌉`: 16 of integers and a scale for every 32 columns | |
/// | `planes` | `2 · D`: `D` high bytes and, elsewhere, `D` low bytes | 8 bytes a row: its scale, its length and that of its low bytes |
///
/// An integer times its scale is the number that is stored; the scale is the largest size of the row's (the 32 columns') numbers
/// divided by 127 (7). Planes hold integers of 16 bits: `x̂ = unit · (256 · high + low)` with `unit = max|x| / 32639`, the largest integer
/// whose nearest high byte is 127. See ``ScaledDotProductAttention/within(_:_:_:)``, which reads few of the low bytes.
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
  /// Integers of 16 bits in two planes, the high bytes and the low bytes, with a scale for each row; for keys only.
  case planes

  /// Bytes of the numbers of a row, in both planes where there are two; what lies beside them is ``scaleBytes``.
  ///
  /// - Parameter columns: 0 … 2²¹.
  public func rowBytes(columns: Int) -> Int { storage.rowBytes(columns) + lowBytes(columns: columns) }

  /// Bytes that a row takes beside its numbers; 0 where scales lie inside the rows, or there are none.
  public var scaleBytes: Int {
    switch self {
    case .float32, .bfloat16, .float16, .int4: 0
    case .int8: MemoryLayout<Float>.stride
    case .planes: MemoryLayout<Float>.stride + MemoryLayout<UInt32>.stride
    }
  }

  /// Whether each row has a scale outside of it.
  var hasScales: Bool { scaleBytes > 0 }

  /// Bytes of a row in the plane of low bytes; 0 where there is none.
  func lowBytes(columns: Int) -> Int {
    switch self {
    case .float32, .bfloat16, .float16, .int8, .int4: 0
    case .planes: columns
    }
  }

  /// Whether numbers are kept as integers with scales.
  public var isQuantized: Bool {
    switch self {
    case .float32, .bfloat16, .float16: false
    case .int8, .int4, .planes: true
    }
  }

  /// The lower-case name, `bfloat16` for instance.
  public var description: String { rawValue }
}
