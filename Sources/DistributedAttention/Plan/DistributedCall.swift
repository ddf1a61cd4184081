import Attention

/// A call over ranks without its tensors: what a ``DistributedPlan`` is made for.
///
///     var call = DistributedCall(attend, lengths: [131_072], heads: 32, keyHeads: 8, width: 128, .bfloat16)
///     call.wire = .int8
///     print(try DistributedPlan(call, ranks: 4))
public struct DistributedCall: Sendable {
  /// What rows of keys or values are stored in.
  public enum Storage: String, Hashable, Sendable, CaseIterable, CustomStringConvertible {
    /// A ``Attention/Tensor`` of this type.
    case float64, float32, float16, bfloat16
    /// A ``Attention/QuantizedTensor``, or a cache of such rows.
    case int8
    /// A cache of such rows; no tensor has them.
    case int4, planes

    /// The lower-case name, `bfloat16` for instance.
    public var description: String { rawValue }
  }

  /// Scale, mask and options.
  public var attention: ScaledDotProductAttention
  /// How many queries each sequence has.
  public var lengths: [Int]
  /// How many keys each sequence has.
  public var keyLengths: [Int]
  /// `Hq`, query heads.
  public var heads: Int
  /// `Hkv`, key/value heads.
  public var keyHeads: Int
  /// `D`, the width of queries and keys.
  public var depth: Int
  /// `Dv`, the width of values and outputs.
  public var width: Int
  /// The type of queries and outputs.
  public var elements: ElementType
  /// What keys are stored in.
  public var keys: Storage
  /// What values are stored in.
  public var values: Storage
  /// What keys and values are rounded to before they travel; see ``ShardedAttention/wire``.
  public var wire: KeyValueType?
  /// How queries are dealt out to ranks where they are.
  public var order = SequenceSharding.Order.zigzag
  /// How keys are.
  public var keyOrder = SequenceSharding.Order.zigzag
  /// See ``ShardedAttention/keysPerMessage``.
  public var keysPerMessage = 4096
  /// See ``ShardedAttention/rowsPerPass``.
  public var rowsPerPass = Int.max

  /// A call of as many keys as queries, all in one type and width; what differs is set afterwards.
  ///
  /// - Parameters:
  ///   - attention: the rules.
  ///   - lengths: how many queries and keys each sequence has.
  ///   - heads: query heads, a multiple of `keyHeads`.
  ///   - keyHeads: key/value heads.
  ///   - width: of queries, keys and values.
  ///   - elements: the type of queries, keys, values and outputs: float64, float32, float16 or bfloat16.
  public init(
    _ attention: ScaledDotProductAttention, lengths: [Int], heads: Int, keyHeads: Int, width: Int,
    _ elements: ElementType = .float32
  ) {
    (self.attention, self.lengths, keyLengths) = (attention, lengths, lengths)
    (self.heads, self.keyHeads, depth, self.width) = (heads, keyHeads, width, width)
    self.elements = elements
    // A type that queries cannot have is refused where the plan is made.
    keys = Storage(rawValue: elements.rawValue) ?? .float32
    values = keys
  }
}

// MARK: - Bytes

extension DistributedCall.Storage {
  /// What a rank sends of a row of one head, and in how many messages: its numbers and, of Int8, its scale.
  ///
  /// - Returns: nil for what does not travel.
  func travelling(_ width: Int) -> (bytes: Int, messages: Int)? {
    switch self {
    case .float64: (8 * width, 1)
    case .float32: (4 * width, 1)
    case .float16, .bfloat16: (2 * width, 1)
    case .int8: (width + MemoryLayout<Float>.stride, 2)
    case .int4, .planes: nil
    }
  }

  var isQuantized: Bool {
    switch self {
    case .float64, .float32, .float16, .bfloat16: false
    case .int8, .int4, .planes: true
    }
  }

  /// What it is on the wire; nil where it cannot be rounded so.
  func rounded(to wire: KeyValueType?) -> DistributedCall.Storage? {
    guard let wire else { return travelling(1) == nil ? nil : self }
    switch (wire, isQuantized) {
    case (.float32, false): return .float32
    case (.bfloat16, false): return .bfloat16
    case (.float16, false): return .float16
    case (.int8, false): return .int8
    case (.int8, true): return self == .int8 ? .int8 : nil
    case (.float32, true), (.bfloat16, true), (.float16, true), (.int4, _), (.planes, _): return nil
    }
  }
}

extension DistributedCall {
  /// Bytes of one number of the accumulation type.
  var sumBytes: Int { elements == .float64 ? 8 : 4 }

  /// Bytes of an output and its log-sum-exp, of one row and head.
  var resultBytes: Int { width * elements.byteCount + sumBytes }
}
