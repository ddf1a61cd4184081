import BenchmarkKit
import CAttentionKernels
import LinearAlgebra
import Parallelism

/// What a reader must know of the machine to make sense of the numbers.
enum MachineFacts {
  /// Names and values, in the order in which they are shown. Measures for about 0.2 s.
  static func gather(probe: MachineProbe, pool: WorkerPool) -> [(String, String)] {
    [
      ("processor", "\(MachineDescription.processor), \(MachineDescription.processorCount) on line"),
      ("caches", MachineDescription.caches),
      ("threads", threads(pool)),
      ("BLAS", blas),
      ("kernel set", String(cString: CAttentionKernels_active().pointee.name)),
      ("FMA peak", peak(probe)),
      ("bf16 peak", bfloat16Peak(probe)),
      ("read rate", readRates(probe)),
      ("hand-off", handOff(pool)),
    ]
  }

  /// The other engines' versions; nothing where none was asked for.
  static func engines(_ peers: [Peer]) -> [(String, String)] {
    if peers.isEmpty { return [] }
    return [("peers", peers.map { "\($0.name) \($0.version ?? "not available")" }.joined(separator: ", "))]
  }

  private static var blas: String {
    let kernels = "OpenBLAS \(BLASRuntime.version), \(BLASRuntime.coreName) kernels"
    guard let forced = BLASRuntime.forcedCoreName else { return kernels }
    return forced.lowercased() == BLASRuntime.coreName.lowercased()
      ? kernels + "; OPENBLAS_CORETYPE forces them, whatever suits this CPU"
      : kernels + "; OpenBLAS did not follow OPENBLAS_CORETYPE=\(forced)"
  }

  private static func threads(_ pool: WorkerPool) -> String {
    let budget = CPUBudget.current
    if pool.threadCount == budget.threads { return budget.description }
    return "\(pool.threadCount) asked for. By default \(budget.description)"
  }

  private static func peak(_ probe: MachineProbe) -> String {
    "\(rates(probe, in: .float32)) (Float32, \(MachineProbe.instructionSet))"
  }

  private static func bfloat16Peak(_ probe: MachineProbe) -> String {
    Arithmetic.bfloat16.isSupported
      ? "\(rates(probe, in: .bfloat16)) (dot products, AVX512_BF16)"
      : "that of Float32: this CPU has no AVX512_BF16"
  }

  private static func rates(_ probe: MachineProbe, in arithmetic: Arithmetic) -> String {
    let one = best { probe.flopsPerSecond(in: arithmetic, threads: 1) }
    let all = best { probe.flopsPerSecond(in: arithmetic) }
    return "\(short(one / 1e9)) GFLOP/s one thread, \(short(all / 1e9)) all"
  }

  private static func readRates(_ probe: MachineProbe) -> String {
    func rates(_ bytes: Int) -> String {
      let one = best { probe.readBytesPerSecond(workingSet: bytes, threads: 1) }
      let all = best { probe.readBytesPerSecond(workingSet: bytes) }
      return "\(bytes >> 20) MiB: \(short(one / 1e9)) GB/s one thread, \(short(all / 1e9)) all"
    }
    return rates(MachineProbe.memoryBytes) + "; " + rates(MachineProbe.cacheBytes)
  }

  /// Of three: whoever else uses the machine can only lower a rate.
  private static func best(_ rate: () -> Double) -> Double { max(rate(), rate(), rate()) }

  private static func handOff(_ pool: WorkerPool) -> String {
    let awake = pool.measureHandOff(rounds: 1000)
    let asleep = pool.measureHandOff(rounds: 20, pause: 1_000_000)
    if awake.isEmpty || asleep.isEmpty { return "none: one thread" }
    func microseconds(_ samples: [Double]) -> String { short(Quantiles(samples).median * 1e6) }
    return
      "\(microseconds(awake)) µs to threads that spin, \(microseconds(asleep)) µs to threads that sleep (median)"
  }
}
