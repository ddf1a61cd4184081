import BenchmarkKit
import Parallelism

/// What a run measures with.
struct Bench {
  var kernels: [BenchKernel]
  let peers: [Peer]
  var rounds: Rounds
  let machine: ThreadedMachine
  let seed: UInt64
  /// Bytes that one workload may take; nil for what is free when it begins.
  let memoryLimit: Double?

  /// Our kernels, then the peers.
  var engines: [any AttentionEngine] { kernels + peers }
  var probe: MachineProbe { machine.probe }
  var pool: WorkerPool { machine.pool }

  /// Why there is no room for so many bytes: `take 3 GB, 2 are free`; nil where there is.
  func lack(of bytes: Double) -> String? {
    let most = memoryLimit ?? AvailableMemory.bytes
    if bytes < most { return nil }
    let words = memoryLimit == nil ? "are free" : "are allowed by --memory"
    return "take \(short(bytes / 1e9)) GB, \(short(most / 1e9)) \(words)"
  }
}

/// So many threads, and what measures their limits.
struct ThreadedMachine {
  /// What was asked for; nil for as many as this process may use.
  let threads: Int?
  let pool: WorkerPool
  let probe: MachineProbe

  init(threads: Int?) {
    self.threads = threads
    pool = Self.pool(threads: threads)
    probe = MachineProbe(threads: pool.threadCount)
  }

  /// The pool of so many threads; the shared one for nil.
  static func pool(threads: Int?) -> WorkerPool { threads.map { WorkerPool(threads: $0) } ?? .shared }

  /// How many threads that is.
  static func count(of threads: Int?) -> Int { threads ?? WorkerPool.shared.threadCount }
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
