import Attention
import BenchmarkKit

/// Something that computes attention, and whose name stands in the rows.
protocol AttentionEngine {
  var name: String { get }

  /// Threads that it computes on, where so many are asked for.
  func threads(of asked: Int) -> Int

  /// Bytes that it takes for a problem beside our inputs.
  func bytes(for shape: BenchmarkShape, elementBytes: Int) -> Double

  /// A way to compute a problem, ready to be timed.
  ///
  /// - Throws: ``Unsuitable`` where it cannot be timed on this problem, and nothing is wrong.
  func contender<E: BenchElement>(_ inputs: BenchInputs<E>, in bench: Bench) throws -> any AttentionContender
}

/// A way to compute attention, ready to be timed and checked.
protocol AttentionContender: AnyObject {
  /// The engine's name.
  var name: String { get }

  /// The kernel that the library chose, or the call of a peer, where there was a choice.
  var plan: String? { get }

  /// What one call computes, where that is not everything.
  var sample: PairSample? { get }

  /// How far its outputs may be from the reference.
  var tolerance: KeyPath<Tolerances, Double> { get }

  /// Itself among others.
  func timed() -> Contender

  /// Called after the last turn and before outputs are asked for.
  ///
  /// - Throws: ``Unsuitable`` where there are none.
  func finish() throws

  /// A row of the output. What was timed is not computed again.
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
}

extension BenchKernel: AttentionEngine {
  var name: String { rawValue }

  func threads(of asked: Int) -> Int { self == .naive ? 1 : asked }

  /// An output each. The naive kernel keeps none, and looks itself whether there is room for its scores, which nobody else needs.
  func bytes(for shape: BenchmarkShape, elementBytes: Int) -> Double {
    if self == .naive { return 0 }
    return shape.tensorBytes(elementBytes: elementBytes, outputs: 1)
      - shape.tensorBytes(elementBytes: elementBytes, outputs: 0)
  }

  func contender<E>(_ inputs: BenchInputs<E>, in bench: Bench) throws -> any AttentionContender {
    switch self {
    case .naive: try NaiveContender(inputs, in: bench)
    case .chosen, .gemm, .fused, .decode: try OperatorContender(inputs, self, on: bench.pool)
    }
  }
}

/// Why an engine is not measured on a shape.
struct Unsuitable: Error {
  let reason: String

  static let interrupted = Unsuitable(reason: "interrupted before it was timed")
}
