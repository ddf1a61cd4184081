import Tensors

/// How the weights of a GGUF tensor are stored: plain numbers, or blocks of small integers under common scales.
///
/// The bits are those of ggml's types of the same names. A row, the last axis, is a whole number of blocks.
public enum GGUFTensorType: Sendable, CaseIterable {
  /// IEEE 754 binary32.
  case f32
  /// IEEE 754 binary16.
  case f16
  /// The upper half of a binary32.
  case bf16
  /// 8 bits each: `d·q`, q from −128 to 127, one binary16 d for 32.
  case q8_0
  /// 4 bits each: `d·(q − 8)`, one binary16 d for 32.
  case q4_0
  /// 4 bits each: `d·q + m`, a binary16 d and m for 32.
  case q4_1
  /// 5 bits each: `d·(q − 16)`, one binary16 d for 32.
  case q5_0
  /// 5 bits each: `d·q + m`, a binary16 d and m for 32.
  case q5_1
  /// 4 bits each: `d·s·q − e·t`, a binary16 d and e for 256, a 6-bit s and t for 32.
  case q4_K
  /// 5 bits each: `d·s·q − e·t`, a binary16 d and e for 256, a 6-bit s and t for 32.
  case q5_K
  /// 6 bits each: `d·s·(q − 32)`, one binary16 d for 256, a signed 8-bit s for 16.
  case q6_K

  /// The number that stands for this type in a file.
  public var id: UInt32 {
    switch self {
    case .f32: 0
    case .f16: 1
    case .q4_0: 2
    case .q4_1: 3
    case .q5_0: 6
    case .q5_1: 7
    case .q8_0: 8
    case .q4_K: 12
    case .q5_K: 13
    case .q6_K: 14
    case .bf16: 30
    }
  }

  /// The type with this number; nil where there is none, or it is one that this reader does not decode.
  public init?(id: UInt32) {
    guard let type = Self.allCases.first(where: { $0.id == id }) else { return nil }
    self = type
  }

  /// Weights of one block.
  public var blockSize: Int {
    switch self {
    case .f32, .f16, .bf16: 1
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1: 32
    case .q4_K, .q5_K, .q6_K: 256
    }
  }

  /// Bytes of one block.
  public var blockByteCount: Int {
    switch self {
    case .f32: 4
    case .f16, .bf16: 2
    case .q8_0: 2 + 32
    case .q4_0: 2 + 16
    case .q4_1: 2 + 2 + 16
    case .q5_0: 2 + 4 + 16
    case .q5_1: 2 + 2 + 4 + 16
    case .q4_K: 2 + 2 + 12 + 128
    case .q5_K: 2 + 2 + 12 + 32 + 128
    case .q6_K: 128 + 64 + 16 + 2
    }
  }

  /// The kind of number, where each weight is one by itself.
  var elementType: ElementType? {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .q8_0, .q4_0, .q4_1, .q5_0, .q5_1, .q4_K, .q5_K, .q6_K: nil
    }
  }

  /// What to call a type of any number in an error: by its name where ggml has given it one.
  static func name(ofID id: UInt32) -> String {
    if let type = Self(id: id) { return "\(type)" }
    return otherNames[id].map { "\($0) (type \(id))" } ?? "type \(id)"
  }

  /// ggml's types that are not decoded here: of other purposes, rare, or withdrawn.
  private static let otherNames: [UInt32: String] = [
    4: "q4_2", 5: "q4_3", 9: "q8_1", 10: "q2_K", 11: "q3_K", 15: "q8_K", 16: "iq2_xxs", 17: "iq2_xs",
    18: "iq3_xxs", 19: "iq1_s", 20: "iq4_nl", 21: "iq3_s", 22: "iq2_s", 23: "iq4_xs", 24: "i8", 25: "i16",
    26: "i32", 27: "i64", 28: "f64", 29: "iq1_m", 31: "q4_0_4_4", 32: "q4_0_4_8", 33: "q4_0_8_8",
    34: "tq1_0", 35: "tq2_0", 36: "iq4_nl_4_4", 37: "iq4_nl_4_8", 38: "iq4_nl_8_8", 39: "mxfp4",
    40: "nvfp4", 41: "q1_0",
  ]
}
