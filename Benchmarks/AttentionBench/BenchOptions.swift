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
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Measure one shape with other sizes in place of its own, all combined with all, instead of a list: queries=128..8192*2 head-dim=64,128.",
      discussion: """
        Fields are \(SweepField.allCases.map(\.rawValue).joined(separator: ", ")); values 64,128 or ranges 1..4, 128..8192*2, 16..64+16; \
        threads=1..N goes to as many as this process may use.
        """, valueName: "field=values"))
  var sweep: [String] = []

  @Option(
    help: ArgumentHelp(
      "The shape that --sweep changes: gpt2-prefill by default.", valueName: "name"))
  var base: String?

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
      "Kernels, with commas between them: chosen (by the library), gemm, fused, decode (forced), naive. All by default; with --peers chosen.",
    transform: { try CommaList<BenchKernel>(argument: $0) })
  var kernel: CommaList<BenchKernel>?

  @Option(
    help: ArgumentHelp(
      "Other engines to measure beside ours: pytorch, onnxruntime, openvino, numpy, vllm, zentorch, flex, as `make peers` installed them.",
      valueName: "name,…"), transform: { try CommaList<PeerName>(argument: $0).values })
  var peers: [PeerName] = []

  @Option(
    help: ArgumentHelp(
      "The Python that has them, in place of that of `make peers`.", valueName: "path"))
  var peersPython: String?

  @Option(
    help: ArgumentHelp(
      "Measure this build against an older one of the same program, in the same rounds, both as children that are started anew for each sitting.",
      valueName: "binary"))
  var against: String?

  @Option(
    help: ArgumentHelp(
      "With --against: exit with 1 where a shape's speed over the older build's is surely below this, 0.95 say.",
      valueName: "ratio"))
  var failBelow: Double?

  @Option(
    help:
      "How results are printed: table, markdown or json (google-benchmark's, with every round); table by default.",
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
      "How long a kernel is timed on a shape at most, where its median is not known to 2 % before: 1 by default, 0.5 with --peers, 0.25 with --quick; slow ones take longer.",
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
    if isSweep && only != nil { throw ValidationError("--only picks from a list, and a sweep is none") }
    if base != nil && !isSweep { throw ValidationError("--base is for --sweep") }
    if let threads { try checkThreads(threads) }
    if let seconds, !(0.01...600).contains(seconds) {
      throw ValidationError("--seconds is \(seconds), expected 0.01 to 600")
    }
    if peersPython != nil && peers.isEmpty {
      throw ValidationError("--peers-python is given without --peers")
    }
    if let failBelow {
      guard against != nil else { throw ValidationError("--fail-below is given without --against") }
      guard failBelow > 0 && failBelow.isFinite else {
        throw ValidationError("--fail-below is \(failBelow), expected a positive number")
      }
    }
    if against != nil {
      guard peers.isEmpty, kernel == nil, !explain else {
        throw ValidationError("--against takes neither --peers nor --kernel nor --explain")
      }
      guard format.table != nil else {
        throw ValidationError("--against has a table or markdown, no other format")
      }
    }
    if let memory, !(memory > 0 && memory.isFinite) {
      throw ValidationError("--memory is \(memory), expected a positive number of 10⁹ bytes")
    }
  }
}

extension BenchOptions {
  /// The kernels asked for. Beside other engines only what users get, unless others are named: all of them would double the time.
  var kernels: [BenchKernel] { kernel?.values ?? (peers.isEmpty ? BenchKernel.allCases : [.chosen]) }

  /// How much effort was asked for.
  var rounds: Rounds {
    var rounds = Rounds(quick: quick)
    // Longer turns: between those of processes lies more than between those of kernels. There are more of them too, so that each has less
    // time where nine rounds do not do.
    if !peers.isEmpty {
      rounds.batchSeconds = 0.05
      rounds.secondsEach = min(rounds.secondsEach, 0.5)
    }
    if let seconds { rounds.secondsEach = seconds }
    rounds.isInterrupted = { Interruption.isRequested }
    return rounds
  }

  /// What a run on so many threads measures with.
  func bench(on machine: ThreadedMachine, peers: [Peer]) -> Bench {
    Bench(
      kernels: kernels, peers: peers, rounds: rounds, machine: machine, seed: seed,
      memoryLimit: memory.map { $0 * 1e9 })
  }

  /// What was asked for, in the order in which it is measured.
  ///
  /// - Throws: where a list cannot be read, or a name is not in it.
  func runs() throws -> [Run] {
    let chosen =
      isSweep
      ? try sweptFamilies().map { (workload: $0.family as any Workload, threads: $0.threads) }
      : try workloads().map { (workload: $0, threads: threads) }
    return chosen.flatMap { chosen in
      dtype.values.map { Run(workload: chosen.workload, type: $0, threads: chosen.threads) }
    }
  }

  /// The shapes of ``runs()``, each by itself; what is no attention is left out.
  ///
  /// - Throws: where a list cannot be read, or a name is not in it.
  func shapeRuns() throws -> [(workload: ShapeWorkload, type: BenchType, threads: Int?)] {
    let chosen =
      isSweep ? try sweptFamilies() : try families().map { (family: $0, threads: threads) }
    return chosen.flatMap { chosen in
      chosen.family.members.flatMap { member in dtype.values.map { (member, $0, chosen.threads) } }
    }
  }

  /// The list of shapes.
  func listed() throws -> [ShapeWorkload] {
    try shapes.map { try ShapeWorkload.list(path: $0) } ?? ShapeWorkload.standard()
  }

  /// What was asked for, in the order of the list.
  ///
  /// - Throws: where the list cannot be read, or a name is not in it.
  private func workloads() throws -> [any Workload] {
    let others: [any Workload] = shapes == nil ? try Self.beyondShapes() : []
    let wanted = wantedNames
    return try families(beside: others.flatMap(\.names))
      + others.filter { $0.names.contains { wanted?.contains($0) ?? true } }
  }

  /// What comes with the benchmark and is no shape of its list.
  private static func beyondShapes() throws -> [any Workload] {
    [RotaryWorkload()] + CacheWorkload.standard(try ShapeWorkload.standard().map(\.shape))
      + [SharedPrefixWorkload(), StepWorkload()]
  }

  /// The shapes that were asked for, in the order of the list.
  ///
  /// - Parameter others: names that are no shapes, and may be asked for too.
  private func families(beside others: [String] = []) throws -> [ShapeFamily] {
    let listed = try listed()
    let known = listed.map(\.shape.name) + others
    if let name = wantedNames?.first(where: { !known.contains($0) }) {
      throw ValidationError("--only: shape \(unknown(name, among: known))")
    }
    return ShapeFamily.families(of: listed, named: wantedNames)
  }

  private var wantedNames: [String]? {
    only?.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
  }
}

/// - Throws: where no pool has so many threads.
func checkThreads(_ count: Int) throws {
  guard (1...WorkerPool.maximumThreadCount).contains(count) else {
    throw ValidationError("--threads is \(count), expected 1 to \(WorkerPool.maximumThreadCount)")
  }
}
