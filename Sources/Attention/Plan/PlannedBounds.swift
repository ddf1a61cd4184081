import Parallelism
import Synchronization

/// A checked call within a tolerance, with its schedule and its memory.
struct PlannedBounds {
  let problem: AttentionProblem
  private let schedule: BoundedSchedule
  private let tolerance: Double
  private let kernels: KernelTable
  private let threads: Int

  /// - Throws: ``AttentionError`` where something does not fit, keys are not of two planes, or sums are kept in Double.
  init(
    _ attention: ScaledDotProductAttention, tolerance: Double, _ queries: QueryRows, _ keyValues: KeyValues
  ) throws(AttentionError) {
    guard tolerance >= 0, tolerance.isFinite else {
      throw AttentionError("tolerance", "\(tolerance) given, expected a finite number from 0 on")
    }
    let problem = try AttentionProblem(attention, queries, keyValues)
    guard problem.keys.type == .planes else {
      throw AttentionError("keyValues", "keys of \(problem.keys.type) given, expected keys of planes")
    }
    guard problem.elementType != .float64 else {
      throw AttentionError("queries", "float64 given, expected float32, bfloat16 or float16")
    }
    guard problem.accumulatorType == .float32 else {
      throw AttentionError("softmaxPrecision", "float64 given, expected float32")
    }
    self.problem = problem
    self.tolerance = tolerance
    threads = max(1, attention.pool.threadCount)
    kernels = KernelVariant.best.kernels
    schedule = BoundedSchedule(problem, threads: threads)
  }

  /// Computes output and bounds; how many rows of low bytes were read, of how many.
  ///
  /// - Throws: ``AttentionError`` where the system has no scratch memory for it; nothing is written then.
  func run(
    into result: AttentionResult, _ bounds: RowNumbers, on pool: WorkerPool
  ) throws(AttentionError) -> LowByteReads {
    let workspace = (schedule.workspaceBytes + 4095) / 4096 * 4096
    let records = (schedule.recordBytes + 63) / 64 * 64
    let partialBytes = PartialResults.byteCount(
      rows: schedule.partialRows, valueDimension: problem.sizes.valueDimension)
    let byteCount = records + threads * workspace + partialBytes
    let reads = ThreadScratch.withBytesIfAvailable(byteCount) { memory in
      clearPadding(result, bounds)
      return run(into: result, bounds, on: pool, memory, records: records, workspace: workspace)
    }
    guard let reads else { throw problem.layout.noScratch(byteCount) }
    return reads
  }

  /// Writes results and bounds of queries that are no sequence's.
  private func clearPadding(_ result: AttentionResult, _ bounds: RowNumbers) {
    let padding = problem.layout.paddedRows
    for index in 0..<padding.count {
      result.clear(padding[index], problem.sizes)
      for head in 0..<problem.sizes.queryHeads {
        for row in padding[index].rows {
          let place = RowIndex(sequence: padding[index].sequence, head: head, query: row, row: row)
          bounds.set(Float(0), place)
        }
      }
    }
  }

  /// Computes all waves in memory of the call's: records, a workspace for each thread, the results of parts.
  private func run(
    into result: AttentionResult, _ bounds: RowNumbers, on pool: WorkerPool,
    _ memory: UnsafeMutableRawBufferPointer, records: Int, workspace: Int
  ) -> LowByteReads {
    var reads = LowByteReads()
    guard !schedule.units.isEmpty, let base = memory.baseAddress else { return reads }
    let partial = PartialResults(
      UnsafeMutableRawBufferPointer(rebasing: memory[(records + threads * workspace)...]),
      valueDimension: problem.sizes.valueDimension)
    let kernel = BoundedAttention(problem, result, bounds, tolerance: tolerance, kernels, partial)
    for wave in schedule.waves {
      reads += run(schedule.units[wave], kernel, pool, records: base) { thread in
        base + records + thread * workspace
      }
    }
    return reads
  }

  /// Takes the units of a wave through all passes.
  private func run(
    _ units: ArraySlice<BoundedUnit>, _ kernel: BoundedAttention, _ pool: WorkerPool,
    records: UnsafeMutableRawPointer, _ workspace: (_ thread: Int) -> UnsafeMutableRawPointer
  ) -> LowByteReads {
    var parts: [(unit: Int, part: Int)] = []
    var rows: [BoundedRow] = []
    for (index, unit) in units.enumerated() {
      for part in 0..<unit.tiles.parts { parts.append((index, part)) }
      for member in 0..<unit.group.headsTogether {
        let (block, record) = (unit.group.block(unit.block(member)), unit.record(member, records))
        record.reset(rows: unit.tiles.rows)
        for row in 0..<block.rows.count {
          rows.append(BoundedRow(unit: unit, record: record, row: row, index: block.index(row)))
        }
      }
    }
    let first = units.startIndex
    func memory(_ unit: BoundedUnit, _ thread: Int) -> BoundedMemory {
      BoundedMemory(workspace(thread), unit, records: records)
    }
    pool.runInShares(parts.count, maximumThreads: threads) { task, thread in
      let unit = units[first + parts[task].unit]
      kernel.readHighBytes(unit, part: parts[task].part, memory(unit, thread))
    }
    pool.run(rows.count, maximumThreads: threads) { task, _ in kernel.choose(rows[task]) }
    withUnsafeTemporaryAllocation(of: Atomic<Int>.self, capacity: units.count) { left in
      for (index, unit) in units.enumerated() {
        left.initializeElement(at: index, to: Atomic(unit.tiles.parts))
      }
      pool.runInShares(parts.count, maximumThreads: threads) { task, thread in
        let (index, part) = parts[task]
        let unit = units[first + index]
        kernel.average(unit, part: part, memory(unit, thread))
        // Whoever computes a unit's last part finds what all others have left.
        if left[index].wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0 {
          kernel.finish(unit, memory(unit, thread))
        }
      }
    }
    return reads(of: units, records)
  }

  private func reads(of units: ArraySlice<BoundedUnit>, _ records: UnsafeMutableRawPointer) -> LowByteReads {
    var reads = LowByteReads()
    for unit in units {
      for member in 0..<unit.group.headsTogether {
        let record = unit.record(member, records)
        for tile in 0..<unit.recordLayout.tiles where record.readCounts[tile] >= 0 {
          reads.read += Int(record.readCounts[tile])
          reads.seen += unit.tiles.keys(ofTile: tile, of: unit.group.extent.keyCount).count
        }
      }
    }
    return reads
  }
}
