/// One attention problem to measure: sizes, a mask and what else changes scores, under a name. Every one that exists is valid
/// and fits in memory.
package struct BenchmarkShape: Sendable, Equatable {
  /// The masks that a shapes file can name.
  package enum Mask: String, Sendable, CaseIterable {
    /// Every query sees every key.
    case none
    /// `j <= i + Tk − Tq`, a sequence's own lengths where it has some: the last query stands on the last key.
    case causal
    /// The keys of each sequence end at its own length.
    case lengths
  }

  /// How the sequences of a batch lie in memory.
  package enum Layout: String, Sendable, CaseIterable {
    /// `[B, H, T, D]`: each takes as much room as the longest.
    case padded
    /// `[total, H, D]`: one after the other, each as long as it is.
    case packed
  }

  /// Unique in its file: letters, digits, `.`, `_`, `-`, `+` and `=`.
  package let name: String
  /// `B`
  package let batch: Int
  /// `Hq`, a multiple of ``keyValueHeads``.
  package let queryHeads: Int
  /// `Hkv`
  package let keyValueHeads: Int
  /// `Tq`
  package let queries: Int
  /// `Tk`
  package let keys: Int
  /// `D`
  package let headDim: Int
  /// `Dv`
  package let valueDim: Int
  /// What hides keys.
  package let mask: Mask
  /// One a sequence: its keys end there. Always with ``Mask/lengths`` and ``Layout/packed``, never with ``Mask/none``.
  package let keyLengths: [Int]?
  /// One a sequence: its queries end there, and what follows is padding. The key lengths where sequences are packed.
  package let queryLengths: [Int]?
  /// With a causal mask, how many keys before its own position a query sees; all when nil.
  package let leftWindowSize: Int?
  /// How the sequences lie in memory.
  package let layout: Layout
  /// The bound that scores approach; none when nil.
  package let softcap: Double?
  /// Whether scores fall with the distance between query and key, by the slopes of the paper.
  package let hasALiBi: Bool
  /// Whether each query head has a sink.
  package let hasSinks: Bool
  /// The plain shape whose time for the same work this one's is compared with; nil for none.
  package let compareWith: String?
  /// What the shape stands for.
  package let why: String
}
