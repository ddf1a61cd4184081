import Attention

/// Rows that ranks share in equal parts, one after the other; all of them on each rank where they are too few to share.
package struct RowShares: Sendable {
  /// How many rows there are.
  package let count: Int
  /// The rows of each rank, the last of which may have fewer.
  private let perRank: Int

  /// - Parameter least: how many rows a rank has at least where they are shared.
  package init(_ count: Int, ranks: Int, least: Int) {
    self.count = count
    let share = (count + ranks - 1) / ranks
    perRank = count - (ranks - 1) * share >= max(1, least) ? share : count
  }

  private var isShared: Bool { perRank < count }

  /// What a rank computes.
  package func rows(of rank: Int) -> Range<Int> {
    isShared ? rank * perRank..<min(count, (rank + 1) * perRank) : 0..<count
  }

  /// All rows, on every rank.
  ///
  /// - Parameter mine: `[rows of this rank, …]` in any strides.
  /// - Returns: `[count, …]`; row-major where rows are shared, else what was given.
  package func gathered<Element: TensorElement>(
    _ mine: Tensor<Element>, over communicator: some Communicator
  ) throws(DistributedError) -> Tensor<Element> {
    precondition(mine.shape.first == rows(of: communicator.rank).count, "rows of shape \(mine.shape)")
    if !isShared { return mine }
    let rest = Array(mine.shape.dropFirst())
    let (message, all) = try refusing { () throws(AttentionError) in
      var message: Tensor<Element> = try allocated(Shape([perRank] + rest), for: "tokens", mine.shape)
      try message.withMutableView { (view) throws(AttentionError) in
        try view.sliced(axis: 0, 0..<mine.shape[0]).assign(from: mine)
      }
      let shape = Shape([communicator.size * perRank] + rest)
      return (message, try allocated(shape, for: "tokens", mine.shape) as Tensor<Element>)
    }
    try communicator.allGather(
      UnsafeRawBufferPointer(message.writableBytes), into: all.writableBytes, keeping: (message, all))
    return all.sliced(axis: 0, 0..<count)
  }
}
