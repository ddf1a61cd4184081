#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Which keys a query may see, and what is added to its scores: any composition of rules.
///
/// A key is visible to a query when every rule lets it be. Rules compose with `&`:
///
///     .causal                                            // j <= i + offset
///     .causal & .window(left: 1023)                      // the last 1024 keys
///     .causal & .boolean(mask)                           // and a mask of the caller's own
///
/// Rules that leave each query one range of keys (causal, window, a ``KeyRangeRule`` of your own) cost nothing: keys
/// outside the range of every query of a tile are never touched. A boolean or additive tensor is read a tile at a time,
/// where it lies, never expanded; ALiBi and modifiers work on tiles of scores. How many keys and queries a sequence has is no rule: it
/// is said by ``KeyValues`` and ``Queries``.
public struct AttentionMask: Sendable {
  var rangeRules: [any KeyRangeRule] = []
  var alignments: [QueryAlignment] = []
  var visibilityMasks: [Tensor<Bool>] = []
  var biases: [AnyTensor] = []
  var alibiSlopes: [[Double]] = []
  var modifiers: [ScoreModifier] = []

  /// Every query sees every key.
  public static let none = AttentionMask()

  /// `j <= i + offset` with the last query of a sequence on its last key: `offset` is its number of keys less its number of queries.
  public static var causal: AttentionMask { causal(.bottomRight) }

  /// `j <= i + offset`, the offset being what `alignment` says.
  public static func causal(_ alignment: QueryAlignment) -> AttentionMask {
    keyRange(CausalRule(), alignment)
  }

  /// `i + offset − left <= j <= i + offset + right`, or `j < keepingFirst`; a side left out is unbounded.
  ///
  /// Keys between the first ones and the window are never touched, as those before a window without first ones.
  /// - Parameters:
  ///   - left: keys before the query's own position that it sees, 0 or more.
  ///   - right: keys after it, 0 or more.
  ///   - keepingFirst: keys at the start of the sequence that every query sees too, as far as other rules let it.
  ///   - alignment: where queries stand among the keys; that of the other rules, or bottom-right, when nil.
  /// - SeeAlso: Xiao et al. 2024, "Efficient Streaming Language Models with Attention Sinks".
  public static func window(
    left: Int? = nil, right: Int? = nil, keepingFirst: Int = 0, _ alignment: QueryAlignment? = nil
  ) -> AttentionMask {
    keyRange(WindowRule(left: left, right: right, keepingFirst: keepingFirst), alignment)
  }

  /// A rule of the caller's own that leaves each query one range of keys.
  ///
  /// - Parameters:
  ///   - rule: what decides; see ``KeyRangeRule`` for an example.
  ///   - alignment: where queries stand among the keys; that of the other rules, or bottom-right, when nil.
  public static func keyRange(
    _ rule: some KeyRangeRule, _ alignment: QueryAlignment? = nil
  ) -> AttentionMask {
    AttentionMask(rangeRules: [rule], alignments: alignment.map { [$0] } ?? [])
  }

  /// A key is visible where the mask is true.
  ///
  /// - Parameter mask: broadcastable to `[B, Hq, Tq, Tk]`; where the last axis is shorter than `Tk` (and not 1), the keys past it are hidden.
  public static func boolean(_ mask: Tensor<Bool>) -> AttentionMask {
    AttentionMask(visibilityMasks: [mask])
  }

  /// The mask is added to the scaled scores, in the accumulation type; −∞ hides the key, and nothing else does: a finite number that the
  /// type cannot hold, as a Double beyond Float's range, counts as its largest finite number of that sign.
  ///
  /// - Parameter mask: broadcastable to `[B, Hq, Tq, Tk]`; where the last axis is shorter than `Tk` (and not 1), the keys past it are hidden.
  public static func additive<Element: AttentionElement>(_ mask: Tensor<Element>) -> AttentionMask {
    AttentionMask(biases: [AnyTensor(mask)])
  }

  /// `− slopes[h] · |i + offset − j|` is added to the scores: attention with linear biases, made a tile at a time.
  ///
  /// - Parameters:
  ///   - slopes: one a query head; ``alibiSlopes(heads:)`` has the usual ones.
  ///   - alignment: where queries stand among the keys; that of the other rules, or bottom-right, when nil.
  /// - SeeAlso: Press, Smith and Lewis 2022, "Train Short, Test Long".
  public static func alibi(slopes: [Double], _ alignment: QueryAlignment? = nil) -> AttentionMask {
    AttentionMask(alignments: alignment.map { [$0] } ?? [], alibiSlopes: [slopes])
  }

  /// The slopes of the paper: the geometric sequence from `2^(−8/n)` for a power of two; for other counts, those of the next
  /// lower power, then every second one of twice as many.
  ///
  /// - Precondition: `heads >= 1`.
  public static func alibiSlopes(heads: Int) -> [Double] {
    precondition(heads >= 1, "slopes for \(heads) heads")
    func slopes(_ count: Int) -> [Double] {
      (1...count).map { exp2(-8 * Double($0) / Double(count)) }
    }
    let power = 1 << (Int.bitWidth - 1 - heads.leadingZeroBitCount)
    let between = stride(from: 0, to: 2 * power, by: 2).map { slopes(2 * power)[$0] }
    return slopes(power) + between.prefix(heads - power)
  }

  /// Scores change as the caller says, after all biases and before keys are hidden.
  ///
  /// - Parameters:
  ///   - modifier: the change.
  ///   - alignment: where queries stand among the keys; that of the other rules, or bottom-right, when nil.
  public static func modifier(
    _ modifier: ScoreModifier, _ alignment: QueryAlignment? = nil
  ) -> AttentionMask {
    AttentionMask(alignments: alignment.map { [$0] } ?? [], modifiers: [modifier])
  }

  /// Both masks: a key is visible where both let it be, and what they add adds up.
  public static func & (left: AttentionMask, right: AttentionMask) -> AttentionMask {
    AttentionMask(
      rangeRules: left.rangeRules + right.rangeRules,
      alignments: left.alignments + right.alignments,
      visibilityMasks: left.visibilityMasks + right.visibilityMasks,
      biases: left.biases + right.biases,
      alibiSlopes: left.alibiSlopes + right.alibiSlopes,
      modifiers: left.modifiers + right.modifiers)
  }
}

extension AttentionMask: CustomStringConvertible {
  /// The rules in order, `causal & window(left: 1023)` for instance; tensors by their shapes.
  public var description: String {
    let tensors =
      visibilityMasks.map { "boolean\($0.shape)" } + biases.map { "additive\($0.shape)" }
    let scoring = alibiSlopes.map { "alibi\($0)" } + modifiers.map { _ in "modifier" }
    let rules = rangeRules.map { $0.description } + tensors + scoring
    if rules.isEmpty { return "none" }
    let alignment = alignments.first.map { $0 == .bottomRight ? "" : ", aligned \($0)" } ?? ""
    return rules.joined(separator: " & ") + alignment
  }
}

/// Where query 0 stands among the keys: query `i` has position `i + offset`.
public enum QueryAlignment: Hashable, Sendable {
  /// The last query of a sequence stands on its last key: `offset` is its number of keys less its number of queries. The usual choice
  /// with a cache of earlier keys.
  case bottomRight
  /// Query 0 stands on key 0: `offset = 0`.
  case topLeft
  /// The same offset for all sequences; negative ones are fine.
  case offset(Int)
  /// An offset for each sequence.
  case offsets([Int])
}
