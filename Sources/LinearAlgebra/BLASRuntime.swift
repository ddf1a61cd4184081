internal import COpenBLAS
import Synchronization

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What the BLAS of this process is, and who decides its number of threads.
///
/// **One BLAS thread.** This library divides its work among its own threads, and each calls OpenBLAS for its part. OpenBLAS
/// would start threads below those and lets only one caller at a time use them. So the first product (or decomposition)
/// that this library computes sets OpenBLAS to one thread, once. **That setting is global to the process**: it also holds
/// for other code that uses the same libopenblas. A program that wants to keep OpenBLAS's threads says so with
/// ``keepThreads()`` or the environment variable `ATTENTION_KEEP_BLAS_THREADS=1`; results are then no longer the same
/// whatever the number of threads.
///
/// **Its threads exist before.** OpenBLAS makes a thread for each CPU when it is loaded, before a program's `main` and before anything
/// here could tell it not to; once set to one thread it leaves them asleep. They take address space and, where that is limited (`ulimit
/// -v`) so that one cannot be made, OpenBLAS says so on stderr and may wait for it at exit without end. Start such a program with
/// `OPENBLAS_NUM_THREADS=1` in its environment. The executables of this package do that by themselves (`COneBLASThread`).
///
/// **Kernels for this CPU.** OpenBLAS chooses its kernels when it is loaded; the environment variable `OPENBLAS_CORETYPE`
/// overrides it, and one that names an older CPU can halve its speed, see ``forcedCoreName``.
public enum BLASRuntime {
  /// The release of OpenBLAS, `0.3.21` for instance; `unknown` where it does not tell.
  public static var version: String {
    let words = config.split(separator: " ")
    guard words.count >= 2, words[0] == "OpenBLAS" else { return "unknown" }
    return String(words[1])
  }

  /// How OpenBLAS was built, in its own words.
  public static var config: String { String(cString: openblas_get_config()) }

  /// The kernels in use, `SkylakeX` for instance.
  public static var coreName: String { String(cString: openblas_get_corename()) }

  /// The threads that one BLAS call may use now: 1 from this library's first product on, unless that is opted out of.
  public static var threads: Int { Int(openblas_get_num_threads()) }

  /// The kernels that the environment variable `OPENBLAS_CORETYPE` asked for in OpenBLAS's stead, or nil where it chose freely.
  public static var forcedCoreName: String? {
    getenv("OPENBLAS_CORETYPE").map { String(cString: $0) }.flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Leaves OpenBLAS's number of threads alone. Call it before the first product; the environment variable
  /// `ATTENTION_KEEP_BLAS_THREADS=1` does the same.
  ///
  /// - Returns: whether OpenBLAS's threads are kept: false where a product has already set them to one.
  @discardableResult
  public static func keepThreads() -> Bool {
    let (_, current) = decision.compareExchange(
      expected: ThreadDecision.open.rawValue, desired: ThreadDecision.keep.rawValue, ordering: .relaxed)
    return current != ThreadDecision.one.rawValue
  }

  /// Sets OpenBLAS to one thread when first read, unless the user keeps them; later reads cost a load and a compare.
  @usableFromInline
  package static let oneThread: Void = {
    if isOn("ATTENTION_KEEP_BLAS_THREADS") { keepThreads() }
    let (isFirst, _) = decision.compareExchange(
      expected: ThreadDecision.open.rawValue, desired: ThreadDecision.one.rawValue, ordering: .relaxed)
    if isFirst { openblas_set_num_threads(1) }
  }()

  private enum ThreadDecision: UInt8 {
    case open, keep, one
  }

  private static let decision = Atomic<UInt8>(ThreadDecision.open.rawValue)

  /// Whether an environment variable is set to something other than nothing or 0.
  private static func isOn(_ variable: String) -> Bool {
    guard let value = getenv(variable) else { return false }
    let text = String(cString: value)
    return !text.isEmpty && text != "0"
  }
}
