import Attention
import AttentionReference
import LinearAlgebra
import TestSupport

/// The sizes of a multi-head attention and of one call of it.
struct MultiHeadShape: Sendable, CustomStringConvertible {
  /// Those of the attention between the projections.
  var attention: ProblemShape
  /// The widths of hidden states: those of queries, keys and values, and the output's.
  var widths: (queries: Int, keys: Int, values: Int, output: Int)
  /// Which of the four projections have a bias.
  var biases: (queries: Bool, keys: Bool, values: Bool, output: Bool) = (true, true, true, true)

  var description: String {
    "\(attention) widths\(widths) biases\(biases)"
  }

  /// One of everything, odd sizes, grouped heads, one query, value widths of their own, several tiles of a product.
  static let grid: [MultiHeadShape] = [
    MultiHeadShape(
      attention: ProblemShape(
        heads: HeadCounts(query: 1, keyValue: 1), queries: 1, keys: 1, headDimension: 1, valueDimension: 1),
      widths: (1, 1, 1, 1)),
    MultiHeadShape(
      attention: ProblemShape(
        batch: 2, heads: HeadCounts(query: 4, keyValue: 2), queries: 7, keys: 7, headDimension: 5,
        valueDimension: 3),
      widths: (11, 11, 11, 13)),
    MultiHeadShape(
      attention: ProblemShape(
        batch: 3, heads: HeadCounts(query: 3, keyValue: 1), queries: 17, keys: 33, headDimension: 8,
        valueDimension: 16),
      widths: (24, 10, 14, 9), biases: (true, false, true, false)),
    MultiHeadShape(
      attention: ProblemShape(
        heads: HeadCounts(query: 6, keyValue: 3), queries: 1, keys: 40, headDimension: 16, valueDimension: 16),
      widths: (33, 33, 33, 33), biases: (true, true, true, false)),
    MultiHeadShape(
      attention: ProblemShape(
        batch: 2, heads: HeadCounts(query: 8, keyValue: 8), queries: 65, keys: 65, headDimension: 16,
        valueDimension: 16),
      widths: (128, 128, 128, 128), biases: (false, false, false, false)),
    MultiHeadShape(
      attention: ProblemShape(
        batch: 5, heads: HeadCounts(query: 2, keyValue: 1), queries: 130, keys: 3, headDimension: 4,
        valueDimension: 7),
      widths: (6, 5, 4, 3), biases: (false, true, false, true)),
    // A product of 300 rows is cut into tiles, and its bias into several tasks.
    MultiHeadShape(
      attention: ProblemShape(
        batch: 2, heads: HeadCounts(query: 2, keyValue: 1), queries: 150, keys: 150, headDimension: 64,
        valueDimension: 96),
      widths: (96, 96, 96, 257)),
  ]

  /// Those whose three inputs are equally wide: their weights can be fused.
  static let selfAttention = grid.filter {
    $0.attention.queries == $0.attention.keys && $0.widths.queries == $0.widths.keys
      && $0.widths.queries == $0.widths.values
  }
}

/// Weights and inputs of one shape, and the exact answer, in Double: three naive products around the oracle of attention.
///
/// Inputs have unit variance and weights a variance of one over their width, so that all hidden states are of size 1.
struct MultiHeadOracle {
  let shape: MultiHeadShape
  let weights: (queries: Tensor<Double>, keys: Tensor<Double>, values: Tensor<Double>, output: Tensor<Double>)
  let biases:
    (queries: Tensor<Double>?, keys: Tensor<Double>?, values: Tensor<Double>?, output: Tensor<Double>?)
  var queries: Tensor<Double>
  var keys: Tensor<Double>
  var values: Tensor<Double>

  /// Numbers that Float holds exactly, so that the answer is the same question's for both types.
  init(_ shape: MultiHeadShape, seed: UInt64 = 1) {
    func numbers(_ lengths: Shape, _ deviation: Double, _ offset: UInt64) -> Tensor<Double> {
      Tensor<Float>.normal(lengths, standardDeviation: deviation, seed: seed &* 100 &+ offset)
        .converted(to: Double.self)
    }
    func weight(_ rows: Int, _ columns: Int, _ offset: UInt64) -> Tensor<Double> {
      numbers([rows, columns], 1 / Double(rows).squareRoot(), offset)
    }
    self.shape = shape
    let (sizes, heads) = (shape.attention, shape.attention.heads)
    let (D, Dv) = (sizes.headDimension, sizes.valueDimension)
    weights = (
      weight(shape.widths.queries, heads.query * D, 0),
      weight(shape.widths.keys, heads.keyValue * D, 1),
      weight(shape.widths.values, heads.keyValue * Dv, 2),
      weight(heads.query * Dv, shape.widths.output, 3)
    )
    biases = (
      shape.biases.queries ? numbers([heads.query * D], 0.5, 4) : nil,
      shape.biases.keys ? numbers([heads.keyValue * D], 0.5, 5) : nil,
      shape.biases.values ? numbers([heads.keyValue * Dv], 0.5, 6) : nil,
      shape.biases.output ? numbers([shape.widths.output], 0.5, 7) : nil
    )
    queries = numbers([sizes.batch, sizes.queries, shape.widths.queries], 1, 8)
    keys = numbers([sizes.batch, sizes.keys, shape.widths.keys], 1, 9)
    values = numbers([sizes.batch, sizes.keys, shape.widths.values], 1, 10)
  }

  /// The attention under test, with separate weights.
  func attention<E: AttentionElement & BLASScalar>(_: E.Type) throws -> MultiHeadAttention<E> {
    func projection(_ weight: Tensor<Double>, _ bias: Tensor<Double>?) throws -> Projection<E> {
      try Projection(weight: weight.converted(to: E.self), bias: bias?.converted(to: E.self))
    }
    return try MultiHeadAttention(
      queryHeads: shape.attention.heads.query, keyValueHeads: shape.attention.heads.keyValue,
      queries: projection(weights.queries, biases.queries), keys: projection(weights.keys, biases.keys),
      values: projection(weights.values, biases.values), output: projection(weights.output, biases.output))
  }

  /// The heads of the three projections.
  func projected() -> (queries: Tensor<Double>, keys: Tensor<Double>, values: Tensor<Double>) {
    (
      split(naiveProjection(queries, weights.queries, biases.queries), shape.attention.heads.query),
      split(naiveProjection(keys, weights.keys, biases.keys), shape.attention.heads.keyValue),
      split(naiveProjection(values, weights.values, biases.values), shape.attention.heads.keyValue)
    )
  }

  /// `[B, Tq, outputWidth]`
  func answer(
    scale: Double? = nil, softcap: Double? = nil, isVisible: ScoreRules.Rule<Bool>? = nil
  ) -> Tensor<Double> {
    let (q, k, v) = projected()
    let heads = AttentionOracle(
      queries: q, keys: k, values: v, rules: ScoreRules(scale: scale, softcap: softcap, isVisible: isVisible)
    ).all().output
    let (sizes, Hq, Dv) = (shape.attention, shape.attention.heads.query, shape.attention.valueDimension)
    let merged = filled([sizes.batch, sizes.queries, Hq * Dv]) { b, t, c in heads[b, c / Dv, t, c % Dv] }
    return naiveProjection(merged, weights.output, biases.output)
  }

  private func split(_ projected: Tensor<Double>, _ heads: Int) -> Tensor<Double> {
    let width = projected.shape[2] / heads
    var result = Tensor<Double>.zeros([projected.shape[0], heads, projected.shape[1], width])
    for b in 0..<projected.shape[0] {
      for h in 0..<heads {
        for t in 0..<projected.shape[1] {
          for d in 0..<width { result[b, h, t, d] = projected[b, t, h * width + d] }
        }
      }
    }
    return result
  }
}

/// `[B, T, in] · [in, out] + [out]`, one sum after the other.
func naiveProjection(
  _ input: Tensor<Double>, _ weight: Tensor<Double>, _ bias: Tensor<Double>?
) -> Tensor<Double> {
  let width = weight.shape[0]
  let (rows, columns) = (input.elements, weight.transposed().elements)
  let (T, added) = (input.shape[1], bias?.elements)
  return filled([input.shape[0], T, weight.shape[1]]) { b, t, c in
    var sum = added?[c] ?? 0
    let row = (b * T + t) * width
    for index in 0..<width { sum += rows[row + index] * columns[c * width + index] }
    return sum
  }
}

private func filled(_ shape: Shape, _ value: (Int, Int, Int) -> Double) -> Tensor<Double> {
  Tensor(unsafeUninitializedShape: shape) { buffer in
    for index in buffer.indices {
      let (row, c) = index.quotientAndRemainder(dividingBy: shape[2])
      buffer.initializeElement(at: index, to: value(row / shape[1], row % shape[1], c))
    }
  }
}

/// How far from the exact answer a result of multi-head attention in `E` may lie.
///
/// An element goes through four sums one after the other: over the width of the hidden states, over `D`, over the visible
/// keys and over `Hq·Dv`, `n` terms in all. Sums are of size 1 (see ``MultiHeadOracle``), so each addition rounds by at most
/// u, and independent roundings grow as √n·u. Of the 8, a factor 4 is for the largest of some 10⁴ elements, which lies 4
/// standard deviations out, and 2 for what the softmax makes of an error in a score: it moves weights between values that
/// are not of size 1 but up to 3 and more.
func multiHeadTolerance<E: FloatingPointElement>(_: E.Type, terms n: Int) -> Tolerance {
  Tolerance(absolute: 8 * E.elementType.unitRoundoff * Double(n).squareRoot())
}

extension MultiHeadShape {
  /// The terms of all sums behind one element of the output.
  var terms: Int {
    max(widths.queries, widths.keys, widths.values) + attention.headDimension + attention.keys
      + attention.heads.query * attention.valueDimension
  }
}
