import ArgumentParser
import Attention
import BenchmarkKit
import Foundation
import Parallelism

/// How fast attention runs on this machine, and whether it is right.
@main
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention-bench",
    abstract: "How fast attention runs on this machine, and whether it is right.",
    discussion: """
      Every kernel is timed in rounds beside the naive one and checked against a Float64 oracle, between measurements of \
      what the machine can do at most. Results go to standard output, progress to standard error. The exit code is 1 \
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
    let facts = MachineFacts.gather(probe: probe, pool: pool)
    let report = options.format.report(names: workloads.map(\.shape.name))
    progress.clear()
    Output.write(report.opening(facts: facts))
    if options.format == .csv || options.format == .jsonl { progress.tell(facts) }

    let benchmark = ShapeBenchmark(
      kernels: options.kernel.values, rounds: Rounds(quick: options.quick), probe: probe, pool: pool)
    var hasFailed = false
    for (index, run) in runs.enumerated() {
      progress.show(index + 1, "\(run.workload.shape.name) \(run.type.rawValue)")
      let rows = try measure(run.workload, run.type, benchmark)
      progress.clear()
      Output.write(rows.map(report.line))
      hasFailed = hasFailed || rows.contains(where: \.isFailure)
    }
    Output.write(report.closing)
    if hasFailed { throw ExitCode(1) }
  }

  private func measure(_ workload: Workload, _ type: BenchType, _ benchmark: ShapeBenchmark) throws
    -> [ResultRow]
  {
    func measure<E: BenchElement>(_ type: E.Type) throws -> [ResultRow] {
      let bytes = workload.shape.tensorBytes(elementBytes: MemoryLayout<E>.size)
      let available = AvailableMemory.bytes
      guard bytes < available else {
        let reason = "its tensors take \(short(bytes / 1e9)) GB, \(short(available / 1e9)) are free"
        return benchmark.skipped(workload.shape, type, reason: reason)
      }
      return benchmark.measure(try workload.inputs(type, seed: options.seed))
    }
    return switch type {
    case .f32: try measure(Float.self)
    case .f64: try measure(Double.self)
    case .f16: try measure(Float16.self)
    case .bf16: try measure(BFloat16.self)
    }
  }

  private func explain(_ workloads: [Workload], on pool: WorkerPool) throws {
    func plan<E: BenchElement>(_ workload: Workload, _ type: E.Type) throws -> String {
      let inputs = try workload.inputs(type, seed: options.seed)
      return try AttentionPlan(
        queries: inputs.queries, keys: inputs.keys, values: inputs.values, mask: inputs.mask, on: pool
      ).description
    }
    for workload in workloads {
      for type in options.dtype.values {
        let description =
          switch type {
          case .f32: try plan(workload, Float.self)
          case .f64: try plan(workload, Double.self)
          case .f16: try plan(workload, Float16.self)
          case .bf16: try plan(workload, BFloat16.self)
          }
        Output.write(["\(workload.shape.name) \(type.rawValue): \(workload.shape.why)", description, ""])
      }
    }
  }
}
