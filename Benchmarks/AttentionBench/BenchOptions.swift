import ArgumentParser
import BenchmarkKit
import Parallelism

/// What can be asked for on the command line.
struct BenchOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A list of shapes in JSON, instead of those that come with the benchmark.", valueName: "file"))
  var shapes: String?

  @Option(
    help: ArgumentHelp("Only the rows of these names, with commas between them.", valueName: "name,…"))
  var only: String?

  @Option(
    help: ArgumentHelp(
      "Threads of our kernels and of the machine probes; as many as this process may use by default."))
  var threads: Int?

  @Option(
    help: "Element types, with commas between them: f32, f64, f16, bf16; f32 by default.",
    transform: { try CommaList<BenchType>(argument: $0) })
  var dtype = CommaList<BenchType>([.f32])

  @Option(
    help:
      "Kernels, with commas between them: chosen (by the library), gemm, fused, decode (forced), naive; all by default.",
    transform: { try CommaList<BenchKernel>(argument: $0) })
  var kernel = CommaList<BenchKernel>(BenchKernel.allCases)

  @Option(
    help:
      "How results are printed: table, markdown, csv, jsonl, json (google-benchmark's, with every round) or sql; table by default.",
    completion: .list(ReportFormat.allCases.map(\.rawValue)), transform: { try choice($0) })
  var format = ReportFormat.table

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Write the results into this file when all are there, not to standard output.", valueName: "file"))
  var output: String?

  @Option(help: "Seed of the random inputs.")
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "How long a kernel is timed on a shape at most, where its median is not known to 2 % before: 1 by default, 0.25 with --quick; slow ones take longer.",
      valueName: "s"))
  var seconds: Double?

  @Option(
    help: ArgumentHelp(
      "The most memory that a shape may take, in 10⁹ bytes; what is free by default. What takes more is skipped.",
      valueName: "GB"))
  var memory: Double?

  @Flag(help: "Fewer and shorter rounds: a look, not a measurement.")
  var quick = false

  @Flag(help: "Print how each shape would be computed, and measure nothing.")
  var explain = false

  func validate() throws {
    if let threads, !(1...WorkerPool.maximumThreadCount).contains(threads) {
      throw ValidationError("--threads is \(threads), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
    if let seconds, !(0.01...600).contains(seconds) {
      throw ValidationError("--seconds is \(seconds), expected 0.01 to 600")
    }
    if let memory, !(memory > 0 && memory.isFinite) {
      throw ValidationError("--memory is \(memory), expected a positive number of 10⁹ bytes")
    }
  }
}

extension BenchOptions {
  /// How much effort was asked for.
  var rounds: Rounds {
    var rounds = Rounds(quick: quick)
    if let seconds { rounds.secondsEach = seconds }
    rounds.isInterrupted = { Interruption.isRequested }
    return rounds
  }

  /// What a run of so many threads measures with; of as many as this process may use for nil.
  func bench(threads: Int?) -> Bench {
    let pool = Bench.pool(threads: threads)
    return Bench(
      kernels: kernel.values, rounds: rounds, probe: MachineProbe(threads: pool.threadCount), pool: pool,
      threads: threads, seed: seed, memoryLimit: memory.map { $0 * 1e9 })
  }

  /// What was asked for, in the order in which it is measured.
  ///
  /// - Throws: where a list cannot be read, or a name is not in it.
  func runs() throws -> [Run] {
    try workloads().flatMap { workload in
      dtype.values.map { Run(workload: workload, type: $0, threads: threads) }
    }
  }

  /// What was asked for, in the order of the list.
  ///
  /// - Throws: where the list cannot be read, or a name is not in it.
  func workloads() throws -> [any Workload] {
    let listed = try shapes.map { try ShapeWorkload.list(path: $0) } ?? ShapeWorkload.standard()
    let others: [any Workload] = shapes == nil ? [RotaryWorkload()] : []
    guard let only else { return ShapeFamily.families(of: listed) + others }
    let wanted = only.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    let known = listed.map(\.shape.name) + others.flatMap(\.names)
    if let name = wanted.first(where: { !known.contains($0) }) {
      throw ValidationError("--only: shape \(unknown(name, among: known))")
    }
    return ShapeFamily.families(of: listed, named: wanted)
      + others.filter { $0.names.contains(where: wanted.contains) }
  }
}
