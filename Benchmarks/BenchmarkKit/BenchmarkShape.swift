/// One attention problem to measure: sizes, a mask and what else changes scores, under a name. Every one that exists is valid
/// and fits in memory.
package struct BenchmarkShape: Sendable, Equatable {
  /// How many sequences, heads and tokens there are, and how wide a token is.
  package struct Sizes: Sendable, Equatable {
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
  }

  /// What hides keys.
  package struct Mask: Sendable, Equatable {
    /// The masks that a shapes file can name.
    package enum Kind: String, Sendable, CaseIterable {
      /// Every query sees every key.
      case none
      /// `j <= i + Tk − Tq`, a sequence's own lengths where it has some: the last query stands on the last key.
      case causal
      /// The keys of each sequence end at its own length.
      case lengths
    }

    /// Which one.
    package let kind: Kind
    /// With a causal mask, how many keys before its own position a query sees; all when nil.
    package let leftWindowSize: Int?
  }

  /// How the sequences of a batch lie in memory, and how long they are.
  package struct Storage: Sendable, Equatable {
    /// The layouts that a shapes file can name.
    package enum Layout: String, Sendable, CaseIterable {
      /// `[B, H, T, D]`: each takes as much room as the longest.
      case padded
      /// `[total, H, D]`: one after the other, each as long as it is.
      case packed
    }

    /// How they lie.
    package let layout: Layout
    /// One a sequence: its keys end there. Always with ``Mask/Kind/lengths`` and ``Layout/packed``, never with ``Mask/Kind/none``.
    package let keyLengths: [Int]?
    /// One a sequence: its queries end there, and what follows is padding. The key lengths where sequences are packed.
    package let queryLengths: [Int]?
  }

  /// What changes scores, beside the mask.
  package struct Scores: Sendable, Equatable {
    /// The bound that they approach; none when nil.
    package let softcap: Double?
    /// Whether they fall with the distance between query and key, by the slopes of the paper.
    package let hasALiBi: Bool
    /// Whether each query head has a sink.
    package let hasSinks: Bool
  }

  /// Unique in its file: letters, digits, `.`, `_`, `-`, `+` and `=`.
  package let name: String
  /// How many there are of everything.
  package let sizes: Sizes
  /// What hides keys.
  package let mask: Mask
  /// How the sequences lie in memory.
  package let storage: Storage
  /// What changes scores.
  package let scores: Scores
  /// The plain shape whose time for the same work this one's is compared with; nil for none.
  package let compareWith: String?
  /// What the shape stands for.
  package let why: String
  /// What a file says of it, for another process that makes the same shape of it.
  package private(set) var record: ShapeRecord

  /// What a record says, not checked yet but for the names of mask and layout.
  init(unchecked record: ShapeRecord) throws(BenchmarkError) {
    name = record.name
    sizes = Sizes(
      batch: record.batch, queryHeads: record.queryHeads, keyValueHeads: record.keyValueHeads,
      queries: record.queries, keys: record.keys, headDim: record.headDim, valueDim: record.valueDim)
    let layout: Storage.Layout = try record.choice("layout", record.layout ?? Storage.Layout.padded.rawValue)
    storage = Storage(
      layout: layout, keyLengths: record.keyLengths,
      queryLengths: layout == .packed ? record.keyLengths : record.queryLengths)
    mask = Mask(kind: try record.choice("mask", record.mask), leftWindowSize: record.leftWindowSize)
    scores = Scores(
      softcap: record.softcap, hasALiBi: record.alibi ?? false, hasSinks: record.sinks ?? false)
    compareWith = record.compareWith
    why = record.why ?? ""
    self.record = record
    // One word for the same shape.
    self.record.alibi = scores.hasALiBi ? true : nil
    self.record.sinks = scores.hasSinks ? true : nil
  }
}

extension ShapeRecord {
  /// What a word of a field means.
  fileprivate func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ field: String, _ text: String
  ) throws(BenchmarkError) -> Choice {
    do {
      return try BenchmarkKit.choice(text)
    } catch {
      throw BenchmarkError("shape \(name): \(field) \(error)")
    }
  }
}
