import Attention
import BenchmarkKit

/// Measures and checks all engines on one shape, or on several in the same rounds.
struct ShapeBenchmark {
  let bench: Bench

  /// A row for each engine on the first shape, then on the next.
  ///
  /// - Parameters:
  ///   - shapes: what is measured.
  ///   - plain: what takes turns with them and has no row: our kernel's cost on the others is told in its terms.
  func measure<E: BenchElement>(_ shapes: [BenchInputs<E>], beside plain: BenchInputs<E>? = nil)
    -> [ResultRow]
  {
    var entries = shapes.map { prepare($0) }
    time(&entries, beside: plain)
    for index in entries.indices { entries[index].finish(on: bench.probe) }
    return entries.flatMap(\.rows)
  }

  /// Rows that say why nothing was measured.
  func skipped<E: BenchElement>(_ shapes: [BenchmarkShape], _ type: E.Type, reason: String) -> [ResultRow] {
    shapes.flatMap { shape in
      bench.engines.map { engine in
        var row = emptyRow(shape, engine, type, MachineLimits(in: E.arithmetic.onThisMachine))
        row.status = .skipped(reason)
        return row
      }
    }
  }

  private func emptyRow<E: BenchElement>(
    _ shape: BenchmarkShape, _ engine: any AttentionEngine, _: E.Type, _ limits: MachineLimits
  ) -> ResultRow {
    var row = ResultRow(
      name: shape.name, kernel: engine.name, dtype: E.benchType.rawValue,
      threads: engine.threads(of: bench.pool.threadCount),
      work: .attention(
        usefulFlops: shape.usefulFlops,
        keyValueBytes: shape.usefulKeyValueBytes(elementBytes: MemoryLayout<E>.size)),
      limits: limits)
    row.shape = shape
    return row
  }

  /// Sets up the engines.
  private func prepare<E: BenchElement>(_ inputs: BenchInputs<E>) -> ShapeEntry<E> {
    let limits = inputs.limits(of: bench.probe)
    var entry = ShapeEntry(inputs: inputs)
    for engine in bench.engines {
      var row = emptyRow(inputs.shape, engine, E.self, limits)
      do {
        if bench.rounds.isInterrupted() { throw Unsuitable.interrupted }
        let contender = try engine.contender(inputs, in: bench)
        row.plan = contender.plan
        entry.contenders.append((entry.rows.count, contender))
      } catch let error as Unsuitable {
        row.status = .skipped(error.reason)
      } catch {
        row.status = .failed("\(error)")
      }
      entry.rows.append(row)
    }
    return entry
  }

  private func time<E: BenchElement>(_ entries: inout [ShapeEntry<E>], beside plain: BenchInputs<E>?) {
    // An engine's turns on all shapes follow each other: what is compared happens in the same moments.
    let turns = bench.engines.indices.flatMap { row in
      entries.indices.flatMap { shape in
        entries[shape].contenders.filter { $0.row == row }.map {
          (shape: shape, row: row, contender: $0.contender)
        }
      }
    }
    // Others than the naive kernel that ours is set against.
    let hasOthers = plain != nil || !bench.peers.isEmpty
    var contenders = turns.map { turn in
      let contender = turn.contender.timed()
      return hasOthers && turn.contender.name == chosen ? contender.compared() : contender
    }
    if let plain, bench.kernels.contains(.chosen) {
      do {
        let contender = try OperatorContender(plain, .chosen, on: bench.pool)
        contenders.append(contender.timed().compared())
      } catch {
        for turn in turns {
          entries[turn.shape].rows[turn.row].status = .failed("\(plain.shape.name): \(error)")
        }
        return
      }
    }
    let outcomes = bench.rounds.outcomes(contenders)
    let plainTurns = outcomes.count > turns.count ? try? outcomes.last?.get() : nil
    for (turn, outcome) in zip(turns, outcomes) {
      switch outcome {
      case .success(let taken):
        entries[turn.shape].set(taken, of: turn.contender, row: turn.row)
        if turn.contender.name == chosen, let plain, let plainTurns {
          entries[turn.shape].compare(taken, with: plainTurns, of: plain.shape, row: turn.row)
        }
      case .failure(let error as Unsuitable):
        entries[turn.shape].rows[turn.row].status = .skipped(error.reason)
      case .failure(let error):
        // It worked once: what fails now fails in some rounds only, and no timing can be trusted.
        entries[turn.shape].rows[turn.row].status = .failed("\(error)")
      }
    }
  }

  private var chosen: String { BenchKernel.chosen.name }
}

/// The rows of one shape while they are made.
private struct ShapeEntry<E: BenchElement> {
  let inputs: BenchInputs<E>
  var rows: [ResultRow] = []
  /// What can be measured, and the row that it fills.
  var contenders: [(row: Int, contender: any AttentionContender)] = []

  init(inputs: BenchInputs<E>) { self.inputs = inputs }

  mutating func set(_ turns: [Turn], of contender: any AttentionContender, row: Int) {
    if turns.isEmpty { rows[row].status = .skipped(Unsuitable.interrupted.reason) }
    rows[row].set(turns, scale: contender.sample?.scale ?? 1)
    rows[row].scaledFromPairs = contender.sample?.count
  }

  /// Round by round, so that a slow moment counts on both sides; the last rounds may lack one of them.
  mutating func compare(
    _ turns: [Turn], with plain: [Turn], of plainShape: BenchmarkShape, row: Int
  ) {
    if turns.isEmpty || plain.isEmpty { return }
    let work = inputs.shape.usefulFlops / plainShape.usefulFlops
    rows[row].comparedWith = plainShape.name
    rows[row].costOverPlain = Quantiles(zip(turns, plain).map { $0.seconds / $1.seconds / work }).median
  }

  private mutating func compareWithNaive() {
    guard let naive = rows.first(where: { $0.kernel == BenchKernel.naive.rawValue }),
      let naiveSeconds = naive.seconds
    else { return }
    for index in rows.indices {
      rows[index].speedup = rows[index].seconds.map { naiveSeconds.median / $0.median }
      rows[index].isSpeedupScaled = naive.scaledFromPairs != nil && rows[index].kernel != naive.kernel
    }
  }

  /// Asks for the limits again, and holds the outputs against the reference.
  mutating func finish(on probe: MachineProbe) {
    let after = inputs.limits(of: probe)
    for index in rows.indices { rows[index].limits = rows[index].limits.union(after) }
    for (index, contender) in contenders {
      do {
        try contender.finish()
      } catch let error as Unsuitable {
        rows[index].set([])
        rows[index].status = .skipped(error.reason)
      } catch {
        rows[index].status = .failed("\(error)")
      }
    }
    compareWithNaive()
    check(contenders, inputs, &rows)
  }
}

extension BenchInputs {
  /// What the machine gives at most to a problem of this size and type, now.
  fileprivate func limits(of probe: MachineProbe) -> MachineLimits {
    let bytes = shape.usefulKeyValueBytes(elementBytes: MemoryLayout<E>.size)
    return probe.limits(workingSet: Int(bytes), in: E.arithmetic)
  }
}
