import Attention
import BenchmarkKit
import Parallelism

/// A way to compute attention, ready to be timed and checked.
protocol AttentionContender: AnyObject {
  var kernel: BenchKernel { get }
  var threads: Int { get }

  /// The kernel that the library chose, where it had the choice.
  var plan: String? { get }

  /// Seconds of one call where that is known without a measurement.
  var knownSeconds: Double? { get }

  /// What one call computes, where that is not everything.
  var sample: PairSample? { get }

  /// One call.
  func run() throws

  /// A row of the output. Whatever ``run()`` computed is not computed again.
  func outputRow(_ row: RowIndex) -> [Double]

  /// Why the whole output cannot be right, whatever the reference says; nil where nothing is known against it.
  func defect() -> String?
}

/// Some of all `B · Hq` (sequence, head) pairs.
struct PairSample {
  /// How many.
  let count: Int
  /// All pairs' work over theirs.
  let scale: Double
}

/// The ways to compute attention that can be compared, in the order of their rows.
enum BenchKernel: String, CaseIterable {
  /// What the library's users get: the kernel that its plan chooses.
  case chosen
  /// Tiles of BLAS products with online softmax between them.
  case gemm
  /// SIMD tiles.
  case fused
  /// The kernel for few queries.
  case decode
  /// Three plain steps in Swift loops.
  case naive

  /// The library's kernel that has to compute it whatever the plan would choose; nil where none is forced.
  var forced: AttentionPlan.Kernel? {
    switch self {
    case .gemm: .gemm
    case .fused: .fused
    case .decode: .decode
    case .chosen, .naive: nil
    }
  }

  /// The contender of this kernel.
  ///
  /// - Throws: ``Unsuitable`` where it should not be tried.
  func contender<E>(
    _ inputs: BenchInputs<E>, on pool: WorkerPool, budget: Double
  ) throws -> any AttentionContender {
    switch self {
    case .naive: try NaiveContender(inputs, budget: budget)
    case .chosen, .gemm, .fused, .decode: try OperatorContender(inputs, self, on: pool)
    }
  }
}

/// Why a kernel is not measured on a shape.
struct Unsuitable: Error {
  let reason: String

  static let interrupted = Unsuitable(reason: "interrupted before it was timed")
}
