import ArgumentParser
import Attention
import BenchmarkKit
import Foundation
import Parallelism

/// Measures shapes and prints what came of it.
struct MeasureCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "measure",
    abstract: "Measure shapes, and check what was computed.",
    discussion: """
      Every kernel is timed in rounds beside the naive one and checked against a Float64 oracle, between measurements of \
      what the machine can do at most. With --peers, other engines take turns with ours in the same rounds, and a table at \
      the end has them side by side. Results go to standard output, progress to standard error. The exit code is 1 \
      where a result is wrong.
      """)

  @OptionGroup var options: BenchOptions

  func run() throws {
    let workloads = try options.workloads()
    let pool = options.threads.map { WorkerPool(threads: $0) } ?? .shared
    if options.explain { return try explain(workloads, on: pool) }

    let runs = workloads.flatMap { workload in options.dtype.values.map { (workload: workload, type: $0) } }
    let progress = Progress(count: runs.count)
    progress.show(0, "the machine")
    let probe = MachineProbe(threads: pool.threadCount)
    let peers = try startPeers(threads: pool.threadCount)
    defer { for peer in peers { peer.stop() } }
    let facts = MachineFacts.gather(probe: probe, pool: pool) + MachineFacts.engines(peers)
    let report = options.format.report(names: workloads.flatMap(\.names), peers: peers.map(\.name))
    progress.clear()
    Output.write(report.opening(facts: facts))
    if options.format == .csv || options.format == .jsonl { progress.tell(facts) }

    let bench = Bench(
      engines: options.kernels + peers, rounds: options.rounds, probe: probe, pool: pool, seed: options.seed)
    var hasFailed = false
    var sideBySide = SideBySide(peers: peers.map(\.name))
    for (index, run) in runs.enumerated() {
      progress.show(index + 1, "\(run.workload.names.joined(separator: ", ")) \(run.type.rawValue)")
      let rows = try run.workload.measure(run.type.element, in: bench)
      progress.clear()
      Output.write(rows.map(report.line))
      sideBySide.add(rows)
      hasFailed = hasFailed || rows.contains(where: \.isFailure)
    }
    Output.write(report.closing)
    Output.write(sideBySide.lines(options.format))
    if hasFailed { throw ExitCode(1) }
  }

  /// Loads the other engines, which then wait.
  private func startPeers(threads: Int) throws -> [Peer] {
    if options.peers.isEmpty { return [] }
    let setup = try PeerSetup(python: options.peersPython)
    return options.peers.map { setup.peer($0, threads: threads) }
  }

  private func explain(_ workloads: [any Workload], on pool: WorkerPool) throws {
    for workload in workloads {
      for type in options.dtype.values {
        Output.write(try workload.explanation(type.element, seed: options.seed, on: pool))
      }
    }
  }
}
