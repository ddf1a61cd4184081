import Attention
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Rotary embedding by its definition, in Float64: each pair is a point of the plane, moved along its circle.
///
/// Radius and angle of the point, the turn added, and back: no product or sum of the code under test.
struct RotaryOracle {
  let layout: RotaryEmbedding.Layout
  let rotaryDimension: Int
  let amplitude: Double
  /// θ of a pair.
  let frequency: (Int) -> Double
  /// The position of a token of a sequence.
  let position: (_ sequence: Int, _ token: Int) -> Int

  /// Angles to the base 10,000 without scaling, where no frequencies are given.
  init(
    _ layout: RotaryEmbedding.Layout, _ rotaryDimension: Int, amplitude: Double = 1,
    frequency: ((Int) -> Double)? = nil, position: @escaping (_ sequence: Int, _ token: Int) -> Int
  ) {
    self.layout = layout
    self.rotaryDimension = rotaryDimension
    self.amplitude = amplitude
    self.position = position
    self.frequency = frequency ?? { exp(-2 * Double($0) / Double(rotaryDimension) * log(10_000)) }
  }

  /// The columns of a pair.
  func columns(_ pair: Int) -> (Int, Int) {
    switch layout {
    case .halves: (pair, pair + rotaryDimension / 2)
    case .interleaved: (2 * pair, 2 * pair + 1)
    }
  }

  /// Holds a result against the definition; columns past the rotary dimension must be what they were, bit for bit.
  ///
  /// A result `a·c − b·s` in a type of unit roundoff `u` (2⁻²⁴ for Float): table, product and sum are rounded, each by at most
  /// `u` of `|a| + |b|`; half types round once more, by their own unit of the result or half their smallest step. An angle in
  /// Float64 is off by some 16 units of itself, as is the oracle's: θ is a power with an exponent near 10 for its logarithm.
  func expect<E: AttentionElement>(
    _ result: Tensor<E>, isTurned source: Tensor<E>, _ context: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let shape = source.shape
    #expect(result.shape == shape, "\(context)", sourceLocation: sourceLocation)
    guard result.shape == shape else { return }
    var worst = (excess: 0.0, place: "")
    for b in 0..<shape[0] {
      for h in 0..<shape[1] {
        for t in 0..<shape[2] {
          func note(_ column: Int, _ actual: Double, _ exact: Double, bound: Double) {
            let excess = actual == exact ? 0 : abs(actual - exact) / bound
            if !(excess <= max(worst.excess, 1)) {
              worst = (
                excess, "[\(b), \(h), \(t), \(column)]: \(actual), expected \(exact) within \(bound)"
              )
            }
          }
          for pair in 0..<rotaryDimension / 2 {
            let (first, second) = columns(pair)
            let (x, y) = (source[b, h, t, first].doubleValue, source[b, h, t, second].doubleValue)
            let turn = Double(position(b, t)) * frequency(pair)
            let (radius, angle) = (hypot(x, y), atan2(y, x))
            let size = amplitude * (abs(x) + abs(y))
            let computed = (3.01 * E.Accumulator.elementType.unitRoundoff + (32 * turn + 8) * 0x1p-53) * size
            for (column, exact) in [
              (first, amplitude * radius * cos(angle + turn)),
              (second, amplitude * radius * sin(angle + turn)),
            ] {
              let stored =
                E.elementType == E.Accumulator.elementType
                ? 0 : E.elementType.unitRoundoff * (abs(exact) + computed) + 0x1p-25
              note(column, result[b, h, t, column].doubleValue, exact, bound: computed + stored)
            }
          }
          for column in rotaryDimension..<max(rotaryDimension, shape[3]) {
            note(
              column, result[b, h, t, column].doubleValue, source[b, h, t, column].doubleValue, bound: 0)
          }
        }
      }
    }
    #expect(worst.excess <= 1, "\(context), at \(worst.place)", sourceLocation: sourceLocation)
  }
}
