/// Which keys a query may see, and what is added to its scores: any composition of rules.
///
/// A key is visible to a query when every rule lets it be. Rules compose with `&`:
///
///     .causal                                            // j <= i + offset
///     .causal & .window(left: 1023)                      // the last 1024 keys
///     .keyLengths([153, 512]) & .boolean(mask)           // padding, and a mask of the caller's own
///
/// Two kinds of rules exist. Those that leave each query one range of keys (causal, window, lengths) cost nothing: keys
/// outside the range of every query of a tile are never touched. A boolean or additive tensor is read a tile at a time,
/// where it lies, never expanded.
public struct AttentionMask: Sendable {
  var rangeRules: [KeyRangeRule] = []
  var alignments: [QueryAlignment] = []
  var visibilityMasks: [Tensor<Bool>] = []
  var biases: [any MaskTensor] = []

  /// Every query sees every key.
  public static let none = AttentionMask()

  /// `j <= i + offset` with the last query on the last key: `offset = Tk − Tq`, or `keyLength − Tq` where lengths are given.
  public static var causal: AttentionMask { causal(.bottomRight) }

  /// `j <= i + offset`, the offset being what `alignment` says.
  public static func causal(_ alignment: QueryAlignment) -> AttentionMask {
    AttentionMask(rangeRules: [.causal], alignments: [alignment])
  }

  /// `i + offset − left <= j <= i + offset + right`; a side left out is unbounded.
  ///
  /// - Parameters:
  ///   - left: keys before the query's own position that it sees, 0 or more.
  ///   - right: keys after it, 0 or more.
  ///   - alignment: where queries stand among the keys; that of the other rules, or bottom-right, when nil.
  public static func window(
    left: Int? = nil, right: Int? = nil, _ alignment: QueryAlignment? = nil
  ) -> AttentionMask {
    AttentionMask(
      rangeRules: [.window(left: left, right: right)], alignments: alignment.map { [$0] } ?? [])
  }

  /// Keys at and past `lengths[b]` are invisible to all queries of sequence `b`; with a causal rule or a window, the
  /// bottom-right offset becomes `lengths[b] − Tq`.
  ///
  /// - Parameter lengths: one a sequence, each in `0...Tk`.
  public static func keyLengths(_ lengths: [Int]) -> AttentionMask {
    AttentionMask(rangeRules: [.keyLengths(lengths)])
  }

  /// A key is visible where the mask is true.
  ///
  /// - Parameter mask: broadcastable to `[B, Hq, Tq, Tk]`; where the last axis is shorter than `Tk` (and not 1), the keys past it are hidden.
  public static func boolean(_ mask: Tensor<Bool>) -> AttentionMask {
    AttentionMask(visibilityMasks: [mask])
  }

  /// The mask is added to the scaled scores, in the accumulation type; −∞ hides the key. So does what becomes −∞ there: several masks near
  /// the type's lowest number that add up, or a Double beyond Float's range.
  ///
  /// - Parameter mask: broadcastable to `[B, Hq, Tq, Tk]`; where the last axis is shorter than `Tk` (and not 1), the keys past it are hidden.
  public static func additive<Element: AttentionElement>(_ mask: Tensor<Element>) -> AttentionMask {
    AttentionMask(biases: [mask])
  }

  /// Both masks: a key is visible where both let it be, and what they add adds up.
  public static func & (left: AttentionMask, right: AttentionMask) -> AttentionMask {
    AttentionMask(
      rangeRules: left.rangeRules + right.rangeRules,
      alignments: left.alignments + right.alignments,
      visibilityMasks: left.visibilityMasks + right.visibilityMasks,
      biases: left.biases + right.biases)
  }
}

extension AttentionMask: CustomStringConvertible {
  /// The rules in order, `causal & window(left: 1023)` for instance; tensors by their shapes.
  public var description: String {
    let tensors =
      visibilityMasks.map { "boolean\($0.shape)" } + biases.map { "additive\($0.shape)" }
    let rules = rangeRules.map(\.description) + tensors
    if rules.isEmpty { return "none" }
    let alignment = alignments.first.map { $0 == .bottomRight ? "" : ", aligned \($0)" } ?? ""
    return rules.joined(separator: " & ") + alignment
  }
}

/// A mask tensor of any element type.
protocol MaskTensor: Sendable {
  var shape: Shape { get }
  /// The mask under a larger shape; throws where it does not broadcast.
  func operand(broadcastTo shape: Shape) throws(TensorError) -> StridedOperand
}

extension Tensor: MaskTensor {}

/// Where query 0 stands among the keys: query `i` has position `i + offset`.
public enum QueryAlignment: Hashable, Sendable {
  /// The last query stands on the last key: `offset = Tk − Tq`, per sequence where key lengths are given. The usual choice
  /// with a cache of earlier keys.
  case bottomRight
  /// Query 0 stands on key 0: `offset = 0`.
  case topLeft
  /// The same offset for all sequences; negative ones are fine.
  case offset(Int)
  /// An offset for each sequence.
  case offsets([Int])
}
