import Foundation

/// A rate of one thread and of all that a run uses, in 10⁹ a second.
package struct ProbedRate: Sendable, Equatable {
  /// Of one thread.
  package let one: Double
  /// Of all threads together.
  package let all: Double

  package init(one: Double, all: Double) {
    self.one = one
    self.all = all
  }

  func words(_ unit: String) -> String { "\(short(one)) \(unit) one thread, \(short(all)) all" }
}

/// What a reader must know of a run to make sense of its numbers: gathered once, told in the header of tables and in `json`.
package struct RunContext: Sendable, Encodable {
  /// When the run began: ISO 8601 with the zone.
  package var date = ""
  /// The program's file.
  package var executable = ""
  /// The command line, without the program.
  package var arguments: [String] = []
  /// Of the random inputs.
  package var seed: UInt64 = 0

  /// What Linux told before the run.
  package var machine: MachineDescription
  /// CPUs' worth of time that control groups allow; nil for all.
  package var quota: Double?
  /// Threads of our kernels and of the probes.
  package var threads = 1
  /// Where ``threads`` comes from.
  package var threadsReason = ""

  /// OpenBLAS's release.
  package var openBLAS = "unknown"
  /// The kernels that OpenBLAS uses.
  package var openBLASCore = "unknown"
  /// A word about who chose ``openBLASCore``, where it was not OpenBLAS.
  package var openBLASNote = ""
  /// The library's own kernels in use.
  package var kernelSet = "unknown"
  /// Whether this program was built without optimisation.
  package var isDebugBuild = false
  /// The compiler of this program.
  package var swift = "unknown"
  /// The commit of the program's source tree, where that is there.
  package var revision: String?
  /// Variables that change threads or kernels, where they are set.
  package var environment: [String: String] = [:]
  /// Releases of the other engines that were measured.
  package var engines: [String: String] = [:]

  /// Multiply-adds, a row for each arithmetic that this CPU has instructions for.
  package var peaks: [(arithmetic: Arithmetic, rate: ProbedRate)] = []
  /// Reading a working set beyond any cache, in GB/s.
  package var memoryRead = ProbedRate(one: 0, all: 0)
  /// Reading a working set that a last-level cache may hold, in GB/s.
  package var cacheRead = ProbedRate(one: 0, all: 0)
  /// How long a call of the thread pool takes until every worker is at work, in microseconds, the median: for threads that spin and for
  /// threads that sleep; nil with one thread.
  package var handOff: (spinning: Double, sleeping: Double)?

  /// What disturbed the machine before the run, as far as that is known; a sentence each.
  package var noise: [String] = []

  /// As `json` calls what it has of them, beside ``machine``.
  private enum CodingKeys: String, CodingKey {
    case date, arguments, seed, threads, environment, engines, noise
    case openBLAS = "openblas_version"
    case openBLASCore = "openblas_core"
    case kernelSet = "kernel_set"
    case swift = "swift_version"
  }

  package init(machine: MachineDescription = MachineDescription()) { self.machine = machine }
}

// MARK: - For people

extension RunContext {
  /// Names and values, in the order in which tables show them.
  package var facts: [(String, String)] {
    let kept = environment.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
    let optional: [(String, String)?] = [
      revision.map { ("revision", $0) },
      kept.isEmpty ? nil : ("environment", kept.joined(separator: " ")),
      engines.isEmpty
        ? nil
        : (
          "engines",
          engines.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
        ),
    ]
    return [
      ("date", date),
      ("processor", "\(machine.processor), \(machine.processorCount) on line, \(nodes), \(frequency)"),
      ("caches", machine.cacheWords),
      ("threads", threadsReason),
      ("system", "Linux \(machine.kernel), Swift \(swift), load \(loads) before"),
      ("BLAS", "OpenBLAS \(openBLAS), \(openBLASCore) kernels\(openBLASNote)"),
      ("kernel set", kernelSet),
    ] + optional.compactMap { $0 } + rates + noise.map { ("noise", $0) }
  }

  private var nodes: String { machine.numaNodes == 1 ? "1 NUMA node" : "\(machine.numaNodes) NUMA nodes" }

  private var frequency: String {
    let megahertz = machine.megahertz.map { String(format: "%.0f MHz", $0) } ?? "frequency unknown"
    return megahertz + (machine.governor.map { " (governor \($0))" } ?? " (no governor told)")
  }

  private var loads: String {
    machine.loadAverages.isEmpty ? "unknown" : machine.loadAverages.map { short($0) }.joined(separator: ", ")
  }

  private var rates: [(String, String)] {
    func peak(_ arithmetic: Arithmetic) -> String? {
      peaks.first { $0.arithmetic == arithmetic }?.rate.words("GFLOP/s")
    }
    let memory = "\(MachineProbe.memoryBytes >> 20) MiB: \(memoryRead.words("GB/s"))"
    let cache = "\(MachineProbe.cacheBytes >> 20) MiB: \(cacheRead.words("GB/s"))"
    return [
      (
        "FMA peak", peak(.float32).map { "\($0) (Float32, \(MachineProbe.instructionSet))" } ?? "not measured"
      ),
      (
        "bf16 peak",
        peak(.bfloat16).map { "\($0) (dot products, AVX512_BF16)" }
          ?? "that of Float32: this CPU has no AVX512_BF16"
      ),
      ("read rate", "\(memory); \(cache)"),
      (
        "hand-off",
        handOff.map {
          "\(short($0.spinning)) µs to threads that spin, \(short($0.sleeping)) µs to threads that sleep (median)"
        } ?? "none: one thread"
      ),
    ]
  }
}
