import ArgumentParser
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
      what the machine can do at most. With --peers, other engines take turns with ours in the same rounds, and `table` \
      and `markdown` end with all side by side. Results go to standard output, progress to standard error. Ctrl-C ends the measurement \
      and prints what there is. The exit code is 1 where a result is wrong, 130 after Ctrl-C.

      Examples:
        attention-bench --only bert-encode,llama-decode --dtype f32,bf16
        attention-bench --peers pytorch,onnxruntime,openvino
        attention-bench --format json --output before.json
        attention-bench --against ../older/.build/release/attention-bench --fail-below 0.95
        attention-bench --sweep queries=128..8192*2 head-dim=64,128 --kernel chosen
      """)

  @OptionGroup var options: BenchOptions

  func run() throws {
    if let binary = options.against { return try compare(with: binary) }
    let runs = try options.runs()
    if options.explain { return try explain(runs) }
    var writer = try ReportWriter(path: options.output)
    Interruption.watch()

    let progress = Progress(count: runs.count)
    progress.show("the machine")
    var machine = ThreadedMachine(threads: runs.widest)
    var context = RunContext.gather(machine, threads: runs.threadCounts)
    context.seed = options.seed
    if machine.threads != runs[0].threads { machine = ThreadedMachine(threads: runs[0].threads) }
    var peers = try startPeers(on: machine)
    defer { for peer in peers { peer.stop() } }
    var bench = options.bench(on: machine, peers: peers)
    for peer in peers { context.engines[peer.name] = peer.version ?? "not available" }
    let start = ProcessorTime.now
    let report = options.format.report(
      names: runs.flatMap(\.workload.names), peers: peers.map(\.name), context: context)
    progress.clear()
    writer.write(report.opening)

    var rows: [ResultRow] = []
    var failure: (any Error)?
    for (index, run) in runs.enumerated() where !Interruption.isRequested {
      progress.show(index + 1, run.description)
      do {
        if run.threads != machine.threads {
          // Peers take their number of threads when they start.
          for peer in peers { peer.stop() }
          machine = ThreadedMachine(threads: run.threads)
          peers = try startPeers(on: machine)
          bench = options.bench(on: machine, peers: peers)
        }
        let measured = try run.workload.measure(run.type.element, in: bench)
        progress.clear()
        writer.write(measured.flatMap(report.lines))
        rows += measured
      } catch {
        // What is there already is reported first.
        failure = error
        break
      }
    }
    let stolen = ProcessorTime.now.flatMap { now in start.flatMap { now.stolenShare(since: $0) } }
    let caveats = Caveats(
      noise: Noise.seen(stolenShare: stolen, peakRatio: context.peakRatio(bench.probe)),
      precision: Precision.seen(rows: rows, isInterrupted: Interruption.isRequested))
    writer.write(report.closing(rows, caveats))
    writer.write(SideBySide(peers: peers.map(\.name), rows).lines(options.format))
    try writer.finish()
    if let failure { throw failure }
    if let code = Interruption.exitCode { throw ExitCode(code) }
    if rows.contains(where: \.isFailure) { throw ExitCode(1) }
  }

  /// Loads the other engines, which then wait; none after Ctrl-C.
  private func startPeers(on machine: ThreadedMachine) throws -> [Peer] {
    if options.peers.isEmpty { return [] }
    let setup = try PeerSetup(python: options.peersPython)
    var peers: [Peer] = []
    for name in options.peers where !Interruption.isRequested {
      peers.append(try setup.peer(name, threads: machine.pool.threadCount))
    }
    return peers
  }

  private func explain(_ runs: [Run]) throws {
    for run in runs {
      Output.write(
        try run.workload.explanation(
          run.type.element, seed: options.seed, on: ThreadedMachine.pool(threads: run.threads)))
    }
  }
}

extension [Run] {
  /// The numbers of threads of all, each once, the smallest first.
  fileprivate var threadCounts: [Int] { Set(map { ThreadedMachine.count(of: $0.threads) }).sorted() }

  /// What the run on the most threads asks for.
  fileprivate var widest: Int? {
    self.max { ThreadedMachine.count(of: $0.threads) < ThreadedMachine.count(of: $1.threads) }?.threads
  }
}
