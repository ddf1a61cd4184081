/// A rule of a mask that leaves each query one range of keys.
///
/// Kernels know nothing of causal masks or windows: they ask for ranges, skip what no query sees and cut tiles where ranges end.
/// So a rule is complete when it conforms to this protocol, in whatever file it stands, and is as fast as those built in:
///
///     /// Queries see the keys of their own chunk, of `size >= 1`.
///     struct Chunked: KeyRangeRule {
///       let size: Int
///       var description: String { "chunked(\(size))" }
///       func visibleKeys(of query: QueryPlace) -> Range<Int> {
///         // Rounded down: positions may lie before the first key.
///         let chunk = (query.position >= 0 ? query.position : query.position - size + 1) / size
///         let start = chunk * size
///         return query.keys(from: start, through: start + size - 1)
///       }
///     }
///     let mask = AttentionMask.causal & .keyRange(Chunked(size: 8192))
public protocol KeyRangeRule: Sendable, CustomStringConvertible {
  /// The keys that the rule lets one query see. What lies outside of `0..<query.keyCount` is cut off.
  func visibleKeys(of query: QueryPlace) -> Range<Int>

  /// The first keys, so many, that the rule lets every query see beside its range: "attention sinks" of a window. 0 unless a rule says otherwise.
  /// Rules of one mask that keep any keep the same number; rules that keep none still narrow them.
  var keptKeys: Int { get }

  /// Throws where the rule's own numbers make no sense; called once, before anything is computed.
  func check() throws(AttentionError)
}

extension KeyRangeRule {
  /// No keys beside the range.
  public var keptKeys: Int { 0 }

  /// A rule without numbers to check.
  public func check() throws(AttentionError) {}
}

/// Where a query stands.
public struct QueryPlace: Hashable, Sendable {
  /// The index in the batch, or among packed sequences.
  public let sequence: Int
  /// The index in its sequence.
  public let query: Int
  /// `query + offset`, the key that the query stands on; it may lie outside the keys on either side. See ``QueryAlignment``.
  public let position: Int
  /// How many keys the sequence has, those that a ring has overwritten among them.
  public let keyCount: Int

  /// The keys from `first` through `last` as far as they exist; none where `last < first`.
  public func keys(from first: Int, through last: Int) -> Range<Int> {
    let lower = min(max(first, 0), keyCount)
    return lower..<max(lower, min(last, keyCount - 1) + 1)
  }
}

/// `j <= position`
struct CausalRule: KeyRangeRule {
  var description: String { "causal" }

  func visibleKeys(of query: QueryPlace) -> Range<Int> { query.keys(from: 0, through: query.position) }
}

/// `position − left <= j <= position + right`
struct WindowRule: KeyRangeRule {
  private let left: Int
  private let right: Int
  let keptKeys: Int

  // Positions fit 33 bits: this reach passes every key, and sums cannot overflow. A sentinel and not nil, because two optional
  // numbers no longer fit an existential in place, and threads would count references to a box for every row.
  private static let unbounded = 1 << 34

  init(left: Int?, right: Int?, keepingFirst: Int) {
    self.keptKeys = keepingFirst
    self.left = min(left ?? Self.unbounded, Self.unbounded)
    self.right = min(right ?? Self.unbounded, Self.unbounded)
  }

  var description: String {
    let sides = [("left", left), ("right", right)].filter { $0.1 != Self.unbounded }
    let all = keptKeys == 0 ? sides : sides + [("keepingFirst", keptKeys)]
    return "window(\(all.map { "\($0): \($1)" }.joined(separator: ", ")))"
  }

  func visibleKeys(of query: QueryPlace) -> Range<Int> {
    query.keys(from: query.position - left, through: query.position + right)
  }

  func check() throws(AttentionError) {
    for (side, reach) in [("left", left), ("right", right)] where reach < 0 {
      throw AttentionError("mask", "a window of \(reach) keys to the \(side) given, expected 0 or more")
    }
    guard keptKeys >= 0 else {
      throw AttentionError("mask", "a window that keeps \(keptKeys) first keys given, expected 0 or more")
    }
  }
}
