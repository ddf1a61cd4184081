import ArgumentParser
import BenchmarkKit
import Parallelism

/// Values with commas between them: `f32,bf16`.
struct CommaList<Value: RawRepresentable & CaseIterable & Equatable>: ExpressibleByArgument
where Value.RawValue == String {
  let values: [Value]

  init(_ values: [Value]) { self.values = values }

  /// Fails where a name is unknown or none is given; a name given twice counts once.
  init?(argument: String) {
    var values: [Value] = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let value = Value(rawValue: String(name)) else { return nil }
      if !values.contains(value) { values.append(value) }
    }
    self.values = values
  }

  var defaultValueDescription: String { values.map(\.rawValue).joined(separator: ",") }

  static var allValueStrings: [String] { Value.allCases.map(\.rawValue) }
}

extension ReportFormat: ExpressibleByArgument {}

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

  @Option(help: "Element types, with commas between them: f32, f64, f16, bf16.")
  var dtype = CommaList<BenchType>([.f32])

  @Option(
    help:
      "Kernels, with commas between them: chosen (by the library), gemm, fused, decode (forced), naive. All by default; with --peers chosen."
  )
  var kernel: CommaList<BenchKernel>?

  @Option(
    help: ArgumentHelp(
      "Other engines to measure beside ours: pytorch, onnxruntime, openvino, numpy, as `make peers` installed them.",
      valueName: "name,…"), transform: PeerName.list)
  var peers: [PeerName] = []

  @Option(
    help: ArgumentHelp(
      "The Python that has them, in place of that of `make peers`.", valueName: "path"))
  var peersPython: String?

  @Option(help: "How results are printed: table, markdown, csv or jsonl.")
  var format = ReportFormat.table

  @Option(help: "Seed of the random inputs.")
  var seed: UInt64 = 1

  @Option(
    help: ArgumentHelp(
      "How long each kernel is timed on each shape: 0.6 by default, 0.25 with --quick; slow ones take longer.",
      valueName: "s"))
  var seconds: Double?

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
    if peersPython != nil && peers.isEmpty {
      throw ValidationError("--peers-python is given without --peers")
    }
  }
}

extension BenchOptions {
  /// The kernels asked for. Beside other engines only what users get, unless others are named: all of them would double the time.
  var kernels: [BenchKernel] { kernel?.values ?? (peers.isEmpty ? BenchKernel.allCases : [.chosen]) }

  /// How much effort was asked for.
  var rounds: Rounds {
    var rounds = Rounds(quick: quick)
    if let seconds { rounds.secondsEach = seconds }
    // Fewer and longer turns: between those of processes lies more than between those of kernels.
    if !peers.isEmpty { rounds.batchSeconds = 0.1 }
    return rounds
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
    if let unknown = wanted.first(where: { !known.contains($0) }) {
      throw ValidationError(
        "--only: no shape is called \(unknown.prefix(64).debugDescription); there are \(known.joined(separator: ", "))"
      )
    }
    return ShapeFamily.families(of: listed, named: wanted)
      + others.filter { $0.names.contains(where: wanted.contains) }
  }
}
