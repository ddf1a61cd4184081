/// The blocks of sequences of one size.
struct BlockGroup: Sendable {
  let sequences: Range<Int>
  let extent: SequenceExtent
  let tiles: BlockTiles
  let blocksPerHead: Int
  let blockCount: Int
  let operationsPerBlock: Double
  /// Key/value heads that a piece covers: see ``DecodeTiles/headsTogether(_:threads:)``.
  let headsTogether: Int
  private(set) var tasks = 0..<0
  private(set) var blocksPerTask = 1
  /// Where the group's rows in ``PartialResults`` begin.
  var firstPartialRow = 0
  /// Parts of each head that are computed with other sequences: see ``SharedParts``.
  var sharedParts = 0
  private let keyValueHeads: Int
  private let groupSize: Int
  private let startsWithLastRows: Bool

  init(
    _ problem: AttentionProblem, _ extent: SequenceExtent, _ sequences: Range<Int>, _ tiles: BlockTiles,
    threads: Int
  ) {
    let sizes = problem.sizes
    self.sequences = sequences
    self.extent = extent
    self.tiles = tiles
    switch tiles {
    case .gemm, .fused: self.headsTogether = 1
    case .decode(let tiles): self.headsTogether = tiles.headsTogether(problem, threads: threads)
    }
    self.keyValueHeads = sizes.keyValueHeads
    self.groupSize = sizes.groupSize
    self.startsWithLastRows = !problem.visibility.isUnrestricted
    let rows = sizes.groupSize * extent.queryCount
    self.blocksPerHead = (rows + tiles.rows - 1) / tiles.rows
    self.blockCount = sequences.count * sizes.keyValueHeads * blocksPerHead
    self.operationsPerBlock =
      2 * Double(min(rows, tiles.rows)) * Double(max(1, extent.keyCount))
      * Double(sizes.headDimension + sizes.valueDimension)
  }

  /// Multiplications and additions, masks not counted.
  var operations: Double { operationsPerBlock * Double(blockCount) }

  /// What threads share: blocks, or the parts of their keys, of some heads together.
  var pieceCount: Int { blockCount / headsTogether * ownParts }

  /// Parts of each head that the group computes by itself.
  private var ownParts: Int { tiles.parts - sharedParts }

  /// Rows of parts that are merged at the end.
  var partialRows: Int { tiles.parts > 1 ? blockCount * tiles.parts * tiles.rows : 0 }

  /// Pieces that a thread takes at a time: enough short ones for some 40 µs of work, so that it knows which memory comes
  /// next; few enough that each thread has eight turns, and all finish together. It does not touch results.
  mutating func cutTasks(from first: Int, _ operations: Double, threads: Int) {
    let operationsPerPiece = operationsPerBlock * Double(headsTogether) / Double(tiles.parts)
    let fair = operations / (8 * Double(threads) * operationsPerPiece)
    blocksPerTask = max(1, Int(min(10e6 / operationsPerPiece, 4, fair)))
    tasks = first..<first + (pieceCount + blocksPerTask - 1) / blocksPerTask
  }

  /// The pieces of one of the group's tasks: blocks, or parts of their keys where these are cut.
  func pieces(of task: Int) -> Range<Int> {
    let first = (task - tasks.lowerBound) * blocksPerTask
    return first..<min(first + blocksPerTask, pieceCount)
  }

  /// The block of a piece's `member`-th head, and the part of its keys.
  func block(ofPiece piece: Int, _ member: Int) -> (number: Int, part: Int) {
    let (unit, part) = piece.quotientAndRemainder(dividingBy: ownParts)
    let (heads, place) = unit.quotientAndRemainder(dividingBy: blocksPerHead)
    return ((heads * headsTogether + member) * blocksPerHead + place, sharedParts + part)
  }

  /// Whether a block is the first of its head to be computed.
  func startsHead(_ number: Int) -> Bool { number.isMultiple(of: blocksPerHead) }

  /// Blocks of a head follow each other, so that its keys and values stay in cache. Where rows do not all see the same keys
  /// the last ones tend to see most (a causal mask): they come first, and what is left for the end is short.
  func block(_ number: Int) -> RowBlock {
    let (pair, place) = number.quotientAndRemainder(dividingBy: blocksPerHead)
    let (sequence, head) = pair.quotientAndRemainder(dividingBy: keyValueHeads)
    let first = (startsWithLastRows ? blocksPerHead - 1 - place : place) * tiles.rows
    return RowBlock(
      sequence: sequences.lowerBound + sequence, extent: extent, keyValueHead: head,
      heads: head * groupSize..<(head + 1) * groupSize,
      rows: first..<min(first + tiles.rows, groupSize * extent.queryCount))
  }
}
