import CAttentionKernels

/// What rows of keys or of values are stored in: numbers, or integers with scales.
enum RowStorage: Hashable, Sendable, CustomStringConvertible {
  case numbers(StorageType)
  /// One Float scale a row, in memory of its own: `x̂ = scale · integer`.
  case int8
  /// Blocks of 32 columns, each a Float scale and 16 bytes of integers of 4 bits.
  case int4
  /// High bytes as Int8 rows, and low bytes at a distance that is the same for all rows: `x̂ = scale · (high + low / 256)`.
  case planes

  /// The bytes of a row whose columns are neighbours; scales in memory of their own are not counted, nor a second plane.
  func rowBytes(_ columns: Int) -> Int {
    switch self {
    case .numbers(let type): columns &* type.byteCount
    case .int8, .planes: columns
    case .int4:
      (columns &+ Int(CAttentionKernels_i4_columns) &- 1) / Int(CAttentionKernels_i4_columns)
        &* Int(CAttentionKernels_i4_bytes)
    }
  }

  /// The bytes from one column to the next where columns are neighbours. The columns of Int4 always are, and kernels find them by themselves.
  var columnBytes: Int {
    switch self {
    case .numbers(let type): type.byteCount
    case .int8, .int4, .planes: 1
    }
  }

  /// Whether tiles under bfloat16 queries multiply pairs of bfloat16: the rows as they are, or `x̂` of integers rounded to 8 significant bits.
  var becomesBFloat16: Bool {
    switch self {
    case .numbers(let type): type == .bfloat16
    case .int8, .int4, .planes: true
    }
  }

  /// Whether queries are rounded to integers to meet some of the rows' bytes.
  var areIntegers: Bool {
    switch self {
    case .numbers, .int4: false
    case .int8, .planes: true
    }
  }

  var description: String {
    switch self {
    case .numbers(let type): type.description
    case .int8: "int8"
    case .int4: "int4"
    case .planes: "planes"
    }
  }
}

/// Where the scales of rows lie, a Float a row; strides are in bytes. Rows that have none are scaled by 1.
struct RowScales {
  var base: UnsafeRawPointer?
  var rowStride = 0
  /// From a row's scale to that of the next head's row of the same position.
  var headStride = 0

  static var none: RowScales { RowScales() }

  /// The scale of a row.
  func of(_ row: Int) -> Double {
    guard let base else { return 1 }
    return Double((base + row &* rowStride).load(as: Float.self))
  }

  /// The scales from a row on.
  func from(_ row: Int) -> RowScales {
    RowScales(base: base.map { $0 + row &* rowStride }, rowStride: rowStride, headStride: headStride)
  }
}

/// Where the low bytes of rows of two planes lie, and how long rows are.
struct LowPlane {
  /// From a high byte to its low byte, in bytes.
  var distance = 0
  /// Two bfloat16 numbers a row, one row behind the other: in the low half of a word at least `‖x̂‖₂`, in its high half at least
  /// `‖x̂ − scale · high‖₂`, what the row loses without its low bytes.
  var lengths: UnsafePointer<UInt32>?

  static var none: LowPlane { LowPlane() }
}
