import BenchmarkKit
import Parallelism

/// What a run measures with.
struct Bench {
  /// Our kernels, then the peers.
  let engines: [any AttentionEngine]
  let rounds: Rounds
  let probe: MachineProbe
  let pool: WorkerPool
  let seed: UInt64
}

/// Something to measure: one line or several of the report.
protocol Workload {
  /// The names in the report, which `--only` takes.
  var names: [String] { get }

  /// The rows of one element type.
  ///
  /// - Throws: where the inputs cannot be made. What goes wrong after that stands in the rows.
  func measure<E: BenchElement>(_ type: E.Type, in bench: Bench) throws -> [ResultRow]

  /// Lines that say how it would be computed, each name's with an empty one after them.
  func explanation<E: BenchElement>(_ type: E.Type, seed: UInt64, on pool: WorkerPool) throws -> [String]
}
