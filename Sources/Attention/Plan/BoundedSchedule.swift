/// What a call within a tolerance goes through: units of heads that are read together, in waves whose scores and terms fit the caches.
struct BoundedSchedule {
  let groups: [BlockGroup]
  /// All units, in the order of groups and heads.
  let units: [BoundedUnit]
  /// Consecutive units that go through all three passes together.
  let waves: [Range<Int>]
  let partialRows: Int
  /// Of the largest wave.
  let recordBytes: Int
  /// Of a thread.
  let workspaceBytes: Int

  /// Scores and terms of a wave: written by one pass and read by the next two, so they had better still be in the last-level cache. Fewer would
  /// make threads wait for each other more often; a wave has one unit at least.
  private static let mostRecordBytes = 4 << 20

  init(_ problem: AttentionProblem, threads: Int) {
    var groups = Self.groups(problem, threads: threads)
    var (partialRows, workspaceBytes) = (0, 0)
    for index in groups.indices {
      groups[index].firstPartialRow = partialRows
      partialRows += groups[index].blockCount * groups[index].tiles.parts * groups[index].tiles.rows
    }
    var units: [BoundedUnit] = []
    var waves: [Range<Int>] = []
    var (bytes, largest) = (0, 0)
    for group in groups {
      guard case .decode(let tiles) = group.tiles else { preconditionFailure("keys of planes are streamed") }
      let layout = tiles.workspace(problem)
      let record = BlockRecordLayout(tiles, keyCount: group.extent.keyCount)
      workspaceBytes = max(workspaceBytes, BoundedMemory.byteCount(group.headsTogether, layout, tiles))
      for number in 0..<group.blockCount / group.headsTogether {
        let unitBytes = group.headsTogether * record.byteCount
        if let wave = waves.last, bytes + unitBytes <= Self.mostRecordBytes {
          waves[waves.count - 1] = wave.lowerBound..<units.count + 1
        } else {
          waves.append(units.count..<units.count + 1)
          bytes = 0
        }
        units.append(
          BoundedUnit(
            group: group, tiles: tiles, number: number, layout: layout, recordLayout: record,
            recordOffset: bytes))
        bytes += unitBytes
        largest = max(largest, bytes)
      }
    }
    (self.groups, self.units, self.waves) = (groups, units, waves)
    (self.partialRows, self.recordBytes, self.workspaceBytes) = (partialRows, largest, workspaceBytes)
  }

  private static func groups(_ problem: AttentionProblem, threads: Int) -> [BlockGroup] {
    func group(_ extent: SequenceExtent, _ sequences: Range<Int>) -> BlockGroup {
      BlockGroup(problem, extent, sequences, .decode(DecodeTiles(problem, extent)), threads: threads)
    }
    switch problem.sequences {
    case .same(let extent):
      let all = group(extent, 0..<problem.sizes.batch)
      return all.blockCount == 0 ? [] : [all]
    case .each(let extents):
      return extents.enumerated().map { group($1, $0..<$0 + 1) }.filter { $0.blockCount > 0 }
    }
  }
}

/// Blocks of neighbouring heads whose rows are read together.
struct BoundedUnit {
  let group: BlockGroup
  let tiles: DecodeTiles
  /// Counted in the group.
  let number: Int
  let layout: TileWorkspaceLayout
  let recordLayout: BlockRecordLayout
  /// From where the records of its wave lie.
  let recordOffset: Int

  /// From a head's workspace to the next head's, in Floats.
  var workspaceStride: Int { layout.byteCount / MemoryLayout<Float>.size }

  /// From a head's record to the next head's, in Floats.
  var recordStride: Int { recordLayout.byteCount / MemoryLayout<Float>.size }

  /// The block of the `member`-th head.
  func block(_ member: Int) -> Int { group.block(ofPiece: number * tiles.parts, member).number }

  /// The record of the `member`-th head.
  func record(_ member: Int, _ records: UnsafeMutableRawPointer) -> BlockRecord {
    BlockRecord(records + recordOffset + member * recordLayout.byteCount, recordLayout)
  }
}

/// A row of a unit.
struct BoundedRow {
  let unit: BoundedUnit
  let record: BlockRecord
  /// Counted in its block.
  let row: Int
  let index: RowIndex
}

/// A thread's working memory, and where the records of a wave lie.
struct BoundedMemory {
  private let base: UnsafeMutableRawPointer
  private let layout: TileWorkspaceLayout
  let records: UnsafeMutableRawPointer
  /// A tile's.
  let lengths: UnsafeMutablePointer<UInt32>
  let chosen: UnsafeMutablePointer<Int32>
  /// A number a row.
  let thresholds: UnsafeMutablePointer<Float>
  let rest: UnsafeMutablePointer<Float>
  /// Those of the rows of each head.
  let errors: UnsafeMutablePointer<ScoreErrors>

  init(_ base: UnsafeMutableRawPointer, _ unit: BoundedUnit, records: UnsafeMutableRawPointer) {
    self.base = base
    self.records = records
    layout = unit.layout
    let keys = unit.tiles.keys
    lengths = (base + unit.group.headsTogether * layout.byteCount).assumingMemoryBound(to: UInt32.self)
    chosen = UnsafeMutableRawPointer(lengths + keys).assumingMemoryBound(to: Int32.self)
    thresholds = UnsafeMutableRawPointer(chosen + keys).assumingMemoryBound(to: Float.self)
    rest = thresholds + unit.tiles.rows
    errors = UnsafeMutableRawPointer(rest + unit.tiles.rows).assumingMemoryBound(to: ScoreErrors.self)
  }

  static func byteCount(_ heads: Int, _ layout: TileWorkspaceLayout, _ tiles: DecodeTiles) -> Int {
    heads * layout.byteCount + (2 * tiles.keys + 2 * tiles.rows) * MemoryLayout<Float>.size
      + heads * tiles.rows * MemoryLayout<ScoreErrors>.stride
  }

  /// The workspace of the `member`-th head.
  func workspace(_ member: Int) -> TileWorkspace<Float> {
    TileWorkspace(
      UnsafeMutableRawBufferPointer(start: base + member * layout.byteCount, count: layout.byteCount), layout)
  }
}
