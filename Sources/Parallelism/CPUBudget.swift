internal import CParallelism

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How many threads this process should use, and why.
///
/// A container often sees all CPUs of its host and may use the time of a few; more threads than that only get in each
/// other's way, and are stopped together when the quota of a period is used up.
public struct CPUBudget: Sendable, CustomStringConvertible {
  /// The environment variable that overrides everything else: a positive integer.
  public static let environmentVariable = "ATTENTION_NUM_THREADS"

  /// How many CPUs the scheduler may put the calling thread on. At least 1.
  public let affinity: Int

  /// How many CPUs' worth of time the control groups of this process allow; `nil` where they set no limit.
  public let quota: Double?

  /// The number in ``environmentVariable``; `nil` where it is not set or not a positive integer.
  public let override: Int?

  /// The variable's text where it was set and is not a positive integer.
  private let rejectedOverride: String?

  /// What the process is subject to now.
  ///
  /// Reads the affinity mask, a few files under `/proc` and `/sys/fs/cgroup`, and the environment: some 100 µs. What
  /// cannot be read sets no limit. Keep the value rather than asking again.
  public static var current: CPUBudget {
    var affinity = Int(CParallelism_affinityCount())
    if affinity < 1 { affinity = sysconf(Int32(_SC_NPROCESSORS_ONLN)) }
    return CPUBudget(
      affinity: affinity, quota: ControlGroups.system.quota(),
      overrideText: getenv(environmentVariable).map { String(cString: $0) })
  }

  /// A budget of these numbers. `overrideText` is the variable's text, `nil` where it is not set.
  package init(affinity: Int, quota: Double?, overrideText: String?) {
    let number = overrideText.flatMap { Int($0) }.flatMap { $0 > 0 ? $0 : nil }
    self.affinity = max(1, affinity)
    self.quota = quota
    self.override = number
    self.rejectedOverride = number == nil ? overrideText : nil
  }

  /// How many threads can run at once: the affinity, or the quota rounded up where that is less. At least 1.
  ///
  /// Rounded up, because a thread too many costs less than a fraction of a CPU left unused.
  public var availableCPUs: Int {
    guard let quota, quota < Double(affinity) else { return affinity }
    return max(1, Int(quota.rounded(.up)))
  }

  /// How many threads to use: the override, or ``availableCPUs``; at most ``WorkerPool/maximumThreadCount``.
  public var threads: Int { min(override ?? availableCPUs, WorkerPool.maximumThreadCount) }

  /// The number of threads and where it comes from, in one line.
  public var description: String {
    var reasons: [String] = []
    if let override { reasons.append("\(Self.environmentVariable) is \(override)") }
    if let rejectedOverride {
      // The text may be anything; a line of a log has room for some of it.
      let text = String(rejectedOverride.prefix(40)).debugDescription
      reasons.append("\(Self.environmentVariable) is \(text), not a positive integer, and ignored")
    }
    reasons.append("affinity allows \(affinity) \(affinity == 1 ? "CPU" : "CPUs")")
    reasons.append(quota.map { "the control group allows the time of \($0)" } ?? "no control group quota")
    if (override ?? availableCPUs) > WorkerPool.maximumThreadCount {
      reasons.append("a pool holds at most \(WorkerPool.maximumThreadCount)")
    }
    return "\(threads) \(threads == 1 ? "thread" : "threads"): " + reasons.joined(separator: "; ")
  }
}
