import Attention
import AttentionReference
import BenchmarkKit

/// A layer of real attention, its exact results, and what becomes of them when keys and values are stored in fewer bits.
///
/// Exact is the Float64 oracle over the numbers as they were before they were stored. Every query sees every key, as in the encoder that the
/// numbers are from.
struct AccuracyStudy {
  /// `[T, H, D]`, the tokens of one sequence.
  private let queries: Tensor<Float>
  private let keys: Tensor<Float>
  private let values: Tensor<Float>
  /// `[T, H, D]` and `[T, H]`, row-major.
  private let output: [Double]
  private let logSumExp: [Double]
  /// Errors of outputs are given in parts of these.
  let largestOutput: Double
  let largestValue: Double

  /// How queries come.
  enum Phase: String, CaseIterable {
    /// One query a call.
    case decode
    /// All queries in one call.
    case prefill
  }

  /// The errors of one pair of types.
  struct Errors {
    /// What a token takes in each head: a key, a value and their scales.
    let bytes: Int
    let output: Deviation
    let logSumExp: Deviation
  }

  /// - Throws: where the layer that comes with the benchmark cannot be read.
  init() throws {
    let inputs: BenchInputs<Float> = try ShapeWorkload.minilm().inputs(Float.self, seed: 0)
    func packed<E>(_ tensor: Tensor<E>) -> Tensor<E> { tensor.selected(axis: 0, 0).permuted(1, 0, 2) }
    (queries, keys, values) = (packed(inputs.queries), packed(inputs.keys), packed(inputs.values))
    let exact = AttentionOracle(queries: inputs.queries, keys: inputs.keys, values: inputs.values).all()
    output = packed(exact.output).elements
    logSumExp = exact.logSumExp.selected(axis: 0, 0).permuted(1, 0).elements
    largestOutput = output.map(\.magnitude).max() ?? 0
    largestValue = Double(values.elements.map(\.magnitude).max() ?? 0)
  }

  /// `T`, `H` and `D`.
  var sizes: (tokens: Int, heads: Int, depth: Int) { (keys.shape[0], keys.shape[1], keys.shape[2]) }

  /// Writes keys and values into the pages of a pool of such types, attends over them, and compares.
  ///
  /// - Throws: `AttentionError` where the pool cannot be made.
  func errors(keys keyType: KeyValueType, values valueType: KeyValueType, _ phase: Phase) throws -> Errors {
    let (tokens, heads, depth) = sizes
    let pageSize = 64
    let pool = try KeyValuePool(
      layers: 1, heads: heads, depth: depth, width: values.shape[2], keys: keyType, values: valueType,
      pageSize: pageSize, pages: (tokens + pageSize - 1) / pageSize)
    let step = try KeyValueStep([pool.makeSequence()], appending: [tokens])
    try step.write(layer: 0, keys: keys, values: values)
    let stored = try step.keyValues(layer: 0)
    let attend = ScaledDotProductAttention()
    var (outputs, sums): ([Double], [Double]) = ([], [])
    let queriesOfACall =
      switch phase {
      case .decode: 1
      case .prefill: tokens
      }
    for first in stride(from: 0, to: tokens, by: queriesOfACall) {
      let rows = queries.sliced(axis: 0, first..<first + queriesOfACall)
      let result = try attend.withLogSumExp(Queries.packed(rows, lengths: [queriesOfACall]), stored)
      outputs += result.output.elements.map(Double.init)
      sums += result.logSumExp.permuted(1, 0).elements.map(Double.init)
    }
    return Errors(
      bytes: pool.bytesPerToken / heads, output: Deviation(outputs, from: output),
      logSumExp: Deviation(sums, from: logSumExp))
  }
}

/// How far numbers are from the exact ones.
struct Deviation {
  let largest: Double
  let rootMeanSquare: Double

  init(_ numbers: [Double], from exact: [Double]) {
    precondition(numbers.count == exact.count, "\(numbers.count) numbers beside \(exact.count) exact ones")
    let errors = zip(numbers, exact).map { ($0 - $1).magnitude }
    // A NaN must not be smaller than anything.
    largest = errors.contains(where: \.isNaN) ? .nan : errors.max() ?? 0
    rootMeanSquare = (errors.reduce(0) { $0 + $1 * $1 } / Double(max(1, errors.count))).squareRoot()
  }
}
