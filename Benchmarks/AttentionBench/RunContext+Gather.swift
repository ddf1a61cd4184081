import BenchmarkKit
import CAttentionKernels
import Foundation
import LinearAlgebra
import Parallelism

extension RunContext {
  /// Everything but what concerns the command line, before anything else is started that would be load. Measures for about 0.2 s.
  ///
  /// - Parameters:
  ///   - machine: the most threads that something is measured on.
  ///   - counts: the numbers of threads that something is measured on.
  static func gather(_ machine: ThreadedMachine, threads counts: [Int]) -> RunContext {
    let (probe, pool) = (machine.probe, machine.pool)
    // First of all, since what follows is load too.
    var context = RunContext()
    let budget = CPUBudget.current
    context.noise = Noise.before(
      load: context.machine.loadAverages.first, processors: budget.affinity, threads: pool.threadCount)
    context.date = Date.ISO8601FormatStyle(timeZoneSeparator: .colon, timeZone: .current).format(Date())
    context.executable = CommandLine.arguments.first ?? ""
    context.arguments = Array(CommandLine.arguments.dropFirst())
    context.quota = budget.quota
    context.threads = pool.threadCount
    let asked = counts.map(String.init).joined(separator: ", ")
    context.threadsReason =
      counts == [budget.threads]
      ? budget.description
      : counts.count > 1
        ? "\(asked) in turn, limits here are those of \(pool.threadCount). By default \(budget.description)"
        : "\(asked) asked for. By default \(budget.description)"
    context.describeSoftware()
    context.measure(probe, pool)
    return context
  }

  private mutating func describeSoftware() {
    openBLAS = BLASRuntime.version
    openBLASCore = BLASRuntime.coreName
    if let forced = BLASRuntime.forcedCoreName {
      openBLASNote =
        forced.lowercased() == openBLASCore.lowercased()
        ? "; OPENBLAS_CORETYPE forces them, whatever suits this CPU"
        : "; OpenBLAS did not follow OPENBLAS_CORETYPE=\(forced)"
    }
    kernelSet = String(cString: CAttentionKernels_active().pointee.name)
    swift = Self.compiler
    #if DEBUG
      isDebugBuild = true
      noise.append("this program was built for debugging, without optimisation: no time means anything")
    #endif
    revision = SourceTree.revision(of: executable)
    // One that is set to nothing counts as not set for those who read them.
    environment = ProcessInfo.processInfo.environment.filter { variable in
      !variable.value.isEmpty
        && ["OMP_", "OPENBLAS_", "GOTO_", "ATTENTION_", "GOMP_", "KMP_", "MKL_"].contains(
          where: variable.key.hasPrefix)
    }
  }

  private mutating func measure(_ probe: MachineProbe, _ pool: WorkerPool) {
    for arithmetic in Arithmetic.allCases where arithmetic.isSupported {
      peaks.append(
        (arithmetic, Self.rate { probe.flopsPerSecond(in: arithmetic, threads: $0) }))
    }
    func read(_ bytes: Int) -> ProbedRate {
      Self.rate { probe.readBytesPerSecond(workingSet: bytes, threads: $0) }
    }
    memoryRead = read(MachineProbe.memoryBytes)
    cacheRead = read(MachineProbe.cacheBytes)
    let awake = pool.measureHandOff(rounds: 1000)
    let asleep = pool.measureHandOff(rounds: 20, pause: 1_000_000)
    if awake.isEmpty || asleep.isEmpty { return }
    handOff = (spinning: Quantiles(awake).median * 1e6, sleeping: Quantiles(asleep).median * 1e6)
  }

  /// The best of three: whoever else uses the machine can only lower a rate.
  private static func rate(_ measure: (_ threads: Int?) -> Double) -> ProbedRate {
    func best(_ threads: Int?) -> Double {
      (0..<3).reduce(0) { best, _ in max(best, measure(threads)) } / 1e9
    }
    return ProbedRate(one: best(1), all: best(nil))
  }

  /// How fast one thread multiplies and adds now, over what it did when the context was gathered.
  func peakRatio(_ probe: MachineProbe) -> Double? {
    guard let before = peaks.first(where: { $0.arithmetic == .float32 })?.rate.one, before > 0 else {
      return nil
    }
    return Self.rate { _ in probe.flopsPerSecond(threads: 1) }.one / before
  }

  private static var compiler: String {
    // A program is not told more of its compiler than which releases it is not older than.
    #if compiler(>=6.5)
      "6.5 or later"
    #elseif compiler(>=6.4)
      "6.4"
    #elseif compiler(>=6.3)
      "6.3"
    #else
      "6.2"
    #endif
  }
}
