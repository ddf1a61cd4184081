import Attention
import DistributedAttention

/// A text whose keys and values are spread over ranks, in blocks of positions that ranks take in turn.
///
///     block      0   1   2   3   4          of 256 positions or more
///     rank       0   1   0   1   0
///
/// Each rank keeps the rows of its own blocks, and attends over them; the partial results are merged on all ranks. Long passes are shared
/// between the rows: a rank computes projections and feed-forward of its share alone. Passes of few tokens are computed by all
/// ranks alike, since their time is that of reading the weights.
final class ShardedCache<Over: Communicator>: TextCache {
  private let communicator: Over
  private let pool: KeyValuePool
  private let blockSize: Int
  /// This rank's, in ascending order.
  private var blocks: [Block] = []
  private(set) var count = 0

  private struct Block {
    /// The position of its first row.
    let start: Int
    let sequence: KeyValueSequence
  }

  /// A rank has some sixteen blocks of a whole text, so that it keeps at most a sixteenth more than its share, and so few since each is a call of
  /// attention; a call over fewer than 256 keys takes no longer than what surrounds it.
  private static func blockSize(_ capacity: Int, ranks: Int) -> Int {
    max(256, (capacity / (16 * ranks) + pageSize - 1) / pageSize * pageSize)
  }

  private static var pageSize: Int { 64 }

  /// Fewer rows take as long as one: as long as reading the weights.
  private static var leastRows: Int { 16 }

  /// An empty text. All ranks have to make it of the same model and options.
  init(
    _ decoder: DecoderModel, _ options: GenerationOptions, capacity: Int, over communicator: Over
  ) throws(AttentionError) {
    let (rank, ranks) = (communicator.rank, communicator.size)
    self.communicator = communicator
    blockSize = Self.blockSize(capacity, ranks: ranks)
    let blocks = (capacity + blockSize - 1) / blockSize
    let mine = (blocks + ranks - 1 - rank) / ranks
    pool = try decoder.makePool(
      keys: options.keys, values: options.values, pageSize: Self.pageSize,
      pages: max(1, mine * blockSize / Self.pageSize))
  }

  func pass<Result>(
    _ tokens: [Int], through decoder: DecoderModel, _ body: (Tensor<Float>) throws(AttentionError) -> Result
  ) throws(AttentionError) -> Result {
    try asAttentionError { () throws(DistributedError) in
      try agree("tokens", ["tokens": "\(tokens)", "position": "\(count)"], over: communicator)
    }
    let positions = count..<count + tokens.count
    let shares = RowShares(tokens.count, ranks: communicator.size, least: Self.leastRows)
    let mine = shares.rows(of: communicator.rank)
    let blocks = blocksThrough(positions.upperBound)
    let pass = try ShardedPass(
      communicator: communicator, shares: shares, first: count,
      earlier: blocks.filter { $0.start + blockSize <= count }.map { ($0.start, $0.sequence.view) },
      appended: appended(positions, to: blocks))
    let states = try decoder.states(
      of: Array(tokens[mine]),
      DecoderPass(
        cache: pass,
        positions: .ids(pass.positions(mine)),
        queryType: decoder.queryType))
    let all = try asAttentionError { () throws(DistributedError) in
      try shares.gathered(states, over: communicator)
    }
    let result = try body(all)
    for piece in pass.appended { try piece.step.commit() }
    self.blocks = blocks
    count = positions.upperBound
    return result
  }

  /// This rank's blocks of the positions below `end`: those that there are, and new ones.
  private func blocksThrough(_ end: Int) -> [Block] {
    var blocks = blocks
    let first = (communicator.rank + blocks.count * communicator.size) * blockSize
    for start in stride(from: first, to: end, by: communicator.size * blockSize) {
      blocks.append(Block(start: start, sequence: pool.makeSequence()))
    }
    return blocks
  }

  /// Steps of the blocks that take rows of a pass.
  private func appended(
    _ positions: Range<Int>, to blocks: [Block]
  ) throws(AttentionError) -> [ShardedPass<Over>.Appended] {
    var appended: [ShardedPass<Over>.Appended] = []
    for block in blocks {
      let part = (block.start..<block.start + blockSize).clamped(to: positions)
      if part.isEmpty { continue }
      appended.append(
        .init(
          start: block.start, step: try KeyValueStep([block.sequence], appending: [part.count]),
          rows: part.lowerBound - positions.lowerBound..<part.upperBound - positions.lowerBound))
    }
    return appended
  }
}
