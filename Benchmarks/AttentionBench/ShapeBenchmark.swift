import Attention
import AttentionReference
import BenchmarkKit
import Parallelism

/// Measures and checks all kernels on one shape.
struct ShapeBenchmark {
  let kernels: [BenchKernel]
  let rounds: Rounds
  let probe: MachineProbe
  let pool: WorkerPool

  /// A row for each kernel, in order.
  func measure<E: BenchElement>(_ inputs: BenchInputs<E>) -> [ResultRow] {
    let shape = inputs.shape
    let bytes = shape.usefulKeyValueBytes(elementBytes: MemoryLayout<E>.size)
    let before = probe.limits(workingSet: Int(bytes))

    var rows: [ResultRow] = []
    var entries: [(row: Int, contender: any AttentionContender)] = []
    for kernel in kernels {
      var row = emptyRow(shape, kernel, E.self, before)
      do {
        let contender = try kernel.contender(inputs, on: pool, budget: rounds.secondsEach)
        if contender.knownSeconds == nil { try contender.run() }
        entries.append((rows.count, contender))
      } catch let error as Unsuitable {
        row.status = .skipped(error.reason)
      } catch {
        row.status = .failed("\(error)")
      }
      rows.append(row)
    }

    time(entries, shape, &rows)
    var limits = before.union(probe.limits(workingSet: Int(bytes)))
    limits.flopsPerSecond *= E.peakShare
    for index in rows.indices { rows[index].limits = limits }
    check(entries, inputs, &rows)
    return rows
  }

  /// A row for each kernel that says why nothing was measured.
  func skipped<E: BenchElement>(_ shape: BenchmarkShape, _ type: E.Type, reason: String) -> [ResultRow] {
    kernels.map { kernel in
      var row = emptyRow(shape, kernel, type, probe.limits(workingSet: MachineProbe.memoryBytes))
      row.status = .skipped(reason)
      return row
    }
  }

  private func emptyRow<E: BenchElement>(
    _ shape: BenchmarkShape, _ kernel: BenchKernel, _: E.Type, _ limits: MachineLimits
  ) -> ResultRow {
    ResultRow(
      name: shape.name, kernel: kernel.rawValue, dtype: E.benchType.rawValue,
      threads: kernel == .naive ? 1 : pool.threadCount, usefulFlops: shape.usefulFlops,
      keyValueBytes: shape.usefulKeyValueBytes(elementBytes: MemoryLayout<E>.size), limits: limits)
  }

  private func time(
    _ entries: [(row: Int, contender: any AttentionContender)], _ shape: BenchmarkShape,
    _ rows: inout [ResultRow]
  ) {
    let contenders = entries.map { entry in
      Contender(name: entry.contender.kernel.rawValue, knownSeconds: entry.contender.knownSeconds) {
        try entry.contender.run()
      }
    }
    let samples: [[Double]]
    do {
      samples = try rounds.measure(contenders)
    } catch {
      // It worked once: what fails now fails in some rounds only, and no timing can be trusted.
      for entry in entries { rows[entry.row].status = .failed("\(error)") }
      return
    }
    for (entry, samples) in zip(entries, samples) {
      let pairs = entry.contender.measuredPairs
      let scale = pairs.map { Double(shape.batch * shape.queryHeads) / Double($0) } ?? 1
      rows[entry.row].seconds = Quantiles(samples).scaled(by: scale)
      rows[entry.row].rounds = samples.count
      rows[entry.row].scaledFromPairs = pairs
    }
    guard let naive = rows.first(where: { $0.kernel == BenchKernel.naive.rawValue }),
      let naiveSeconds = naive.seconds
    else { return }
    for index in rows.indices {
      rows[index].speedup = rows[index].seconds.map { naiveSeconds.median / $0.median }
      rows[index].isSpeedupScaled = naive.scaledFromPairs != nil && rows[index].kernel != naive.kernel
    }
  }
}
