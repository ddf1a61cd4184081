import Attention
import AttentionReference

/// How far results may lie from the oracle's: the contract's rule, twice the error of the plain computation plus 1e-5, and what rounding
/// does to scores of this size.
///
/// The plain computation of a few rows may be exact by luck. A score that is a sum of terms of `size` in all is off by some `u · size`, with
/// `u` half a step of 1, and so is every weight in parts of itself: 16 of them for the handful of operations that a score passes through.
struct ProblemTolerance {
  let output: Tolerance
  let logSumExp: Tolerance

  init<E: AttentionElement>(
    _ problem: Problem, _ storage: ProblemStorage, queries: Tensor<E>, _ oracle: AttentionOracle<Double>,
    _ reference: Tensor<Double>
  ) throws {
    func largest(_ numbers: some Sequence<Double>) -> Double {
      numbers.lazy.filter(\.isFinite).map(\.magnitude).max() ?? 0
    }
    let isDouble = E.elementType == .float64
    // Integer products take queries of 16 bits.
    let step = isDouble ? 0x1p-53 : storage.keys.type == .int8 ? 0x1p-16 : 0x1p-24
    // The oracle, in Double itself, rounds as much as what is compared with it.
    let ulps = isDouble ? 0x1p-28 : 1
    let size =
      abs(problem.scale ?? 1 / Double(problem.depth).squareRoot()) * Double(problem.depth)
      * largest(oracle.queries.elements) * largest(storage.keys.exact) + problem.largestBias
    // Tiles of bfloat16 queries bring keys of integers to bfloat16.
    let keyRoundoff = storage.keys.type == .int8 && E.elementType == .bfloat16 ? 0x1p-9 : 0
    let scoreError = (16 * step + keyRoundoff) * size
    let value = largest(storage.values.exact)
    let roundoff: Double
    switch E.elementType {
    case .float16: roundoff = 0x1p-11
    case .bfloat16: roundoff = 0x1p-8
    default: roundoff = 0
    }
    let naive = naiveAttention(
      queries: queries, keys: oracle.keys.converted(to: E.self), values: oracle.values.converted(to: E.self),
      rules: problem.definition)
    let naiveError = Tolerance.twiceNaive(naive, reference: reference).absolute - 1e-5
    output = Tolerance(
      // Weights are rounded to the type of half queries, and so is the output.
      relative: roundoff, absolute: naiveError + (1e-5 + 2 * roundoff * value) * ulps + scoreError * value)
    logSumExp = Tolerance(relative: 1e-6 * ulps, absolute: 2e-6 * ulps + scoreError)
  }
}
