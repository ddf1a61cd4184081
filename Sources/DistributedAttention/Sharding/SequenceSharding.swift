/// Which positions of a sequence each rank has.
///
///     SequenceSharding.zigzag(8, ranks: 2)        // rank 0: 0 1 6 7    rank 1: 2 3 4 5
///     SequenceSharding.blocks(8, ranks: 2)        // rank 0: 0 1 2 3    rank 1: 4 5 6 7
public struct SequenceSharding: Hashable, Sendable {
  /// How positions are dealt out.
  public enum Order: Hashable, Sendable, CaseIterable {
    /// Rank `r` of `P` has part `r` of `P`.
    case blocks
    /// Rank `r` of `P` has parts `r` and `2P − 1 − r` of `2P`: under a causal mask every rank sees as many keys.
    case zigzag
  }

  /// The length of the sequence.
  public let count: Int
  /// How many ranks share it.
  public let ranks: Int
  /// How they do.
  public let order: Order

  /// A sequence of `count` positions over `ranks` ranks.
  ///
  /// - Precondition: `count >= 0`, `ranks >= 1`.
  public init(_ count: Int, ranks: Int, _ order: Order) {
    precondition(count >= 0 && ranks >= 1, "\(count) positions over \(ranks) ranks")
    (self.count, self.ranks, self.order) = (count, ranks, order)
  }

  /// One part a rank.
  public static func blocks(_ count: Int, ranks: Int) -> SequenceSharding {
    SequenceSharding(count, ranks: ranks, .blocks)
  }

  /// Two parts a rank, one of each half.
  public static func zigzag(_ count: Int, ranks: Int) -> SequenceSharding {
    SequenceSharding(count, ranks: ranks, .zigzag)
  }

  /// The positions of a rank: ranges that are not empty, in ascending order.
  ///
  /// - Precondition: `rank` in `0..<ranks`.
  public func pieces(of rank: Int) -> [Range<Int>] {
    precondition((0..<ranks).contains(rank), "rank \(rank) of \(ranks)")
    let pieces =
      switch order {
      case .blocks: [part(rank, of: ranks)]
      case .zigzag: [part(rank, of: 2 * ranks), part(2 * ranks - 1 - rank, of: 2 * ranks)]
      }
    // Neighbours are one piece: a single rank has the whole.
    var joined: [Range<Int>] = []
    for piece in pieces where !piece.isEmpty {
      if let last = joined.last, last.upperBound == piece.lowerBound {
        joined[joined.count - 1] = last.lowerBound..<piece.upperBound
      } else {
        joined.append(piece)
      }
    }
    return joined
  }

  /// Parts differ by one position at most.
  private func part(_ index: Int, of parts: Int) -> Range<Int> {
    func start(_ index: Int) -> Int {
      // `count · index / parts` without the product, which may overflow.
      count / parts * index + count % parts * index / parts
    }
    return start(index)..<start(index + 1)
  }
}
