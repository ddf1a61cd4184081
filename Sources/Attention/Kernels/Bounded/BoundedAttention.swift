import CAttentionKernels

/// Attention of few queries over keys of two planes, whose low bytes are read only where weights are large enough to show: three passes over
/// the units of a ``BoundedSchedule``.
///
/// ``readHighBytes(_:part:_:)`` computes the scores of a part of the keys from their high bytes, and how far each weight can be off;
/// ``choose(_:)`` finds a threshold for a row, above which low bytes are read; ``average(_:part:_:)`` reads them, and averages the values.
/// ``finish(_:_:)`` merges the parts. ``WeightBounds`` has the proof.
///
/// A part's results follow from its keys and from all keys of its rows: on as many threads as you like, bits are the same.
struct BoundedAttention {
  let problem: AttentionProblem
  /// Streams the high bytes, and the values.
  let decode: DecodeAttention
  /// Multiplies both planes as Floats.
  let whole: DecodeAttention
  let tileRows: TileRows<Float>
  let kernels: KernelTable
  let partial: PartialResults
  let bounds: RowNumbers
  let tolerance: Double

  init(
    _ problem: AttentionProblem, _ result: AttentionResult, _ bounds: RowNumbers, tolerance: Double,
    _ kernels: KernelTable, _ partial: PartialResults
  ) {
    self.problem = problem
    self.kernels = kernels
    self.partial = partial
    self.bounds = bounds
    self.tolerance = tolerance
    decode = DecodeAttention(problem, keys: problem.keys.highPlane, result, kernels, partial)
    whole = DecodeAttention(problem, result, kernels, partial)
    tileRows = decode.tileRows
  }

  /// A head of a unit, with the memory that it is computed in.
  struct HeadWork {
    let number: Int
    let block: RowBlock
    let work: TileWorkspace<Float>
    let record: BlockRecord
    /// The rows', as this thread finds them.
    let errors: UnsafeMutablePointer<ScoreErrors>

    /// The workspace with the record's scores of a tile in place of its own.
    func work(at tile: Range<Int>) -> TileWorkspace<Float> {
      work.withScores(record.scores + tile.lowerBound, stride: record.keyStride)
    }
  }

  /// Goes through the tiles of a part that some row sees, each with the keys that are read after it.
  func forEachTile(
    of unit: BoundedUnit, _ part: Int, _ seen: Range<Int>, _ body: (Range<Int>, _ rest: Range<Int>) -> Void
  ) {
    let tiles = unit.tiles
    let first = part * tiles.partKeys
    let end = min(first + tiles.partKeys, unit.group.extent.keyCount)
    let lower = min(max(seen.lowerBound, first), end)
    let upper = max(lower, min(seen.upperBound, end))
    var tile = first + (lower - first) / tiles.keys * tiles.keys
    while tile < upper {
      let next = min(tile + tiles.keys, end)
      body(tile..<next, next..<unit.group.extent.keyCount)
      tile = next
    }
  }

  /// Calls `body` with the heads of a unit, in the workspaces of a thread.
  func withHeads(
    of unit: BoundedUnit, _ memory: BoundedMemory, _ body: (UnsafeMutableBufferPointer<HeadWork>) -> Void
  ) {
    withUnsafeTemporaryAllocation(of: HeadWork.self, capacity: unit.group.headsTogether) { heads in
      for member in heads.indices {
        let number = unit.block(member)
        heads.initializeElement(
          at: member,
          to: HeadWork(
            number: number, block: unit.group.block(number), work: memory.workspace(member),
            record: unit.record(member, memory.records),
            errors: memory.errors + member * unit.tiles.rows))
      }
      body(heads)
      heads.deinitialize()
    }
  }
}
