import ArgumentParser
import BenchmarkKit
import Foundation

/// Sets this build against an older one: both are children of this process that compute the same tensors in the same rounds, and both are
/// started anew for every sitting, since where memory lies moves some rows by a tenth for as long as a process lives.
struct AgainstBenchmark {
  /// The older build.
  let binary: String
  /// This one.
  let own: String
  let options: BenchOptions

  /// - Throws: `BenchmarkError` where there is no such program.
  init(_ binary: String, _ options: BenchOptions) throws {
    guard FileManager.default.isExecutableFile(atPath: binary) else {
      throw BenchmarkError("--against: \(binary) cannot be run")
    }
    self.binary = binary
    self.options = options
    own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
  }

  /// Sittings until the row is settled.
  func row<E: BenchElement>(_ workload: ShapeWorkload, _: E.Type, on machine: ThreadedMachine) throws
    -> AgainstRow
  {
    var row = AgainstRow(name: workload.shape.name, dtype: E.benchType.rawValue)
    let inputs: BenchInputs<E> = try workload.inputs(E.self, seed: options.seed)
    var sittings = 0
    while row.wantsSitting(bound: options.failBelow), !Interruption.isRequested {
      let peers = start(on: machine, olderFirst: sittings.isMultiple(of: 2))
      defer { for peer in peers { peer.stop() } }
      var bench = options.bench(on: machine, peers: peers)
      // Their kernels are their own, in their processes.
      (bench.kernels, bench.rounds) = ([], rounds)
      let rows = ShapeBenchmark(bench: bench).measure([inputs])
      let index = peers[0].name == Self.older ? 0 : 1
      if Interruption.isRequested { break }
      row.add(older: rows[index], newer: rows[1 - index])
      sittings += 1
    }
    return row
  }

  private static let older = "older"

  /// The two processes, in the order of their turns in the first round.
  private func start(on machine: ThreadedMachine, olderFirst: Bool) -> [Peer] {
    let builds = [(Self.older, binary), ("newer", own)]
    return (olderFirst ? builds : builds.reversed()).map { name, executable in
      Peer(
        .build(name), executable: executable,
        arguments: ["answer", "--threads", String(machine.pool.threadCount)])
    }
  }

  /// Few rounds a sitting: what differs between sittings is larger than what differs within one.
  private var rounds: Rounds {
    var rounds = options.rounds
    rounds.minimum = options.quick ? 1 : 3
    rounds.maximum = rounds.minimum
    rounds.batchSeconds = options.quick ? 0.01 : 0.03
    return rounds
  }
}

// MARK: - A run

extension MeasureCommand {
  /// Measures against an older build, and prints a line for each shape and type.
  func compare(with binary: String) throws {
    let benchmark = try AgainstBenchmark(binary, options)
    let runs = try options.shapeRuns()
    var writer = try ReportWriter(path: options.output)
    Interruption.watch()
    let progress = Progress(count: runs.count)
    var rows: [AgainstRow] = []
    for (index, run) in runs.enumerated() where !Interruption.isRequested {
      progress.show(index + 1, "\(run.workload.shape.name) \(run.type.rawValue)")
      rows.append(
        try benchmark.row(run.workload, run.type.element, on: ThreadedMachine(threads: run.threads)))
      progress.clear()
    }
    // Other formats were refused.
    writer.write(AgainstRow.lines(rows, bound: options.failBelow, options.format.table ?? .table))
    try writer.finish()
    if let code = Interruption.exitCode { throw ExitCode(code) }
    if rows.contains(where: { $0.isWorse(than: options.failBelow) }) { throw ExitCode(1) }
  }
}
