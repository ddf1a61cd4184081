import Attention
import LinearAlgebra

/// How the states of a text's tokens become one vector.
public enum Pooling: String, Sendable, CaseIterable {
  /// Their mean, special tokens included.
  case mean
  /// That of the first token, `[CLS]`.
  case cls

  /// Writes the vector of some rows; zeros where there are none.
  ///
  /// - Parameter row: the address of a row of an index.
  func apply(
    to rows: Range<Int>, width: Int, into target: UnsafeMutablePointer<Float>,
    _ row: (Int) -> UnsafePointer<Float>
  ) {
    target.update(repeating: 0, count: width)
    guard !rows.isEmpty else { return }
    switch self {
    case .mean:
      for index in rows { add(row(index), to: target, count: width) }
      let factor = 1 / Float(rows.count)
      for column in 0..<width { target[column] *= factor }
    case .cls:
      target.update(from: row(rows.lowerBound), count: width)
    }
  }
}

/// Divides a vector by its length, so that the product of two is the cosine of the angle between them. Zeros stay zeros.
func normalise(_ vector: UnsafeMutablePointer<Float>, count: Int) {
  // In Double, where no square of a Float overflows or vanishes.
  var squares = 0.0
  for index in 0..<count { squares += Double(vector[index]) * Double(vector[index]) }
  guard squares > 0 else { return }
  let factor = 1 / squares.squareRoot()
  for index in 0..<count { vector[index] = Float(Double(vector[index]) * factor) }
}
