import BenchmarkKit
import Parallelism

/// What a run measures with.
struct Bench {
  let kernels: [BenchKernel]
  let rounds: Rounds
  let probe: MachineProbe
  let pool: WorkerPool
  /// What ``pool`` was asked for; nil for as many as this process may use.
  let threads: Int?
  let seed: UInt64
  /// Bytes that one workload may take; nil for what is free when it begins.
  let memoryLimit: Double?

  /// The pool of so many threads; the shared one for nil.
  static func pool(threads: Int?) -> WorkerPool { threads.map { WorkerPool(threads: $0) } ?? .shared }
}

/// A line of what is to be done: a workload with one element type.
struct Run: CustomStringConvertible {
  let workload: any Workload
  let type: BenchType
  /// Threads of the pool; nil for as many as this process may use.
  let threads: Int?

  var description: String { "\(workload.names.joined(separator: ", ")) \(type.rawValue)" }
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
