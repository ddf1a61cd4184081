import Attention
import BenchmarkKit
import Parallelism

/// A shape over caches of several kinds, all in the same rounds; each is told in terms of the first.
struct CacheWorkload: Workload {
  let shape: BenchmarkShape
  let variants: [CacheVariant]

  var names: [String] { variants.map(name) }

  private func name(_ variant: CacheVariant) -> String { "\(shape.name)-\(variant.suffix)" }

  /// Those that come with the benchmark, over its own shapes.
  static func standard(_ shapes: [BenchmarkShape]) -> [CacheWorkload] {
    func workload(_ name: String, _ variants: [CacheVariant]) -> [CacheWorkload] {
      shapes.filter { $0.name == name }.map { CacheWorkload(shape: $0, variants: variants) }
    }
    return workload("llama-decode", CacheVariant.policies)
      + workload("llama-decode-b8", CacheVariant.policies)
      + workload("llama-decode-32k", CacheVariant.policies + CacheVariant.types)
      + workload("llama-prefill", [CacheVariant.types[0], CacheVariant.types[1]])
  }

  func measure<E: BenchElement>(_ type: E.Type, in bench: Bench) throws -> [ResultRow] {
    var rows: [ResultRow] = []
    var calls: [(row: Int, call: CachedCall<E>)] = []
    let bytes = shape.tensorBytes(elementBytes: MemoryLayout<E>.size) * Double(2 * variants.count)
    let lack = bench.lack(of: bytes)
    // Scarce memory ends the process where the system promised it: nothing is made before it is known.
    let inputs =
      lack == nil && E.benchType != .f64 ? try BenchInputs<E>(random: shape, seed: bench.seed) : nil
    for variant in variants {
      var row = emptyRow(variant, type, bench)
      if let lack { row.status = .skipped("its tensors \(lack)") }
      do {
        if let inputs, let call = try CachedCall(variant, inputs, on: bench.pool) {
          row = emptyRow(variant, type, bench, bytes: call.bytes)
          row.plan = try variant.tolerance.map { "within \($0)" } ?? call.plan().kernel.rawValue
          calls.append((rows.count, call))
        } else if lack == nil {
          row.status = .skipped("no cache keeps \(E.benchType.rawValue)")
        }
      } catch {
        row.status = .failed("\(error)")
      }
      rows.append(row)
    }
    let contenders = calls.map { entry in
      Contender(name: rows[entry.row].name) { try entry.call.run() }.compared()
    }
    let turns = try bench.rounds.measure(contenders)
    for (entry, taken) in zip(calls, turns) {
      rows[entry.row].set(taken)
      if taken.isEmpty { rows[entry.row].status = .skipped(Unsuitable.interrupted.reason) }
      if entry.row > 0, let first = turns.first, !first.isEmpty, !taken.isEmpty {
        rows[entry.row].comparedWith = rows[0].name
        rows[entry.row].costOverPlain = Quantiles(zip(taken, first).map { $0.seconds / $1.seconds }).median
      }
      let check = entry.call.check()
      rows[entry.row].maxError = check.maxError
      rows[entry.row].tolerance = check.tolerance
      if let failure = entry.call.output.defect ?? check.failure { rows[entry.row].status = .failed(failure) }
    }
    return rows
  }

  private func emptyRow<E: BenchElement>(
    _ variant: CacheVariant, _: E.Type, _ bench: Bench, bytes: Double = 0
  ) -> ResultRow {
    ResultRow(
      name: name(variant), kernel: BenchKernel.chosen.name, dtype: E.benchType.rawValue,
      threads: bench.pool.threadCount,
      work: .attention(usefulFlops: shape.usefulFlops, keyValueBytes: bytes),
      limits: bytes == 0
        ? MachineLimits(in: E.arithmetic.onThisMachine)
        : bench.probe.limits(workingSet: Int(bytes), in: E.arithmetic))
  }

  func explanation<E: BenchElement>(_ type: E.Type, seed: UInt64, on pool: WorkerPool) throws -> [String] {
    let inputs = try BenchInputs<E>(random: shape, seed: seed)
    return try variants.flatMap { variant in
      guard let call = try CachedCall(variant, inputs, on: pool) else { return [String]() }
      return ["\(name(variant)) \(E.benchType.rawValue): \(shape.why)", try call.plan().description, ""]
    }
  }
}
