import Attention
import Foundation

/// Causal attention by its formula, in Double, one query after the other: what the probes are checked against.
///
/// - Parameters:
///   - queries: `[1, Hq, Tq, D]`; the last one stands on the last key.
///   - keys: `[1, Hkv, Tk, D]`.
///   - values: `[1, Hkv, Tk, Dv]`.
/// - Returns: `[1, Hq, Tq, Dv]`, rounded to Float once.
func attentionByFormula(
  _ queries: Tensor<Float>, _ keys: Tensor<some FloatingPointElement>,
  _ values: Tensor<some FloatingPointElement>
) throws -> Tensor<Float> {
  let (Hq, Tq, D) = (queries.shape[1], queries.shape[2], queries.shape[3])
  let (Hkv, Tk, Dv) = (keys.shape[1], keys.shape[2], values.shape[3])
  let q = queries.converted(to: Double.self).elements
  let k = keys.converted(to: Double.self).elements
  let v = values.converted(to: Double.self).elements
  var output: [Float] = []
  for head in 0..<Hq {
    let firstKey = head / (Hq / Hkv) * Tk
    for query in 0..<Tq {
      let row = (head * Tq + query) * D
      let scores = (0..<Tk - Tq + query + 1).map { key in
        (0..<D).reduce(0) { $0 + q[row + $1] * k[(firstKey + key) * D + $1] } / Double(D).squareRoot()
      }
      let largest = scores.max()!
      let weights = scores.map { exp($0 - largest) }
      let sum = weights.reduce(0, +)
      for column in 0..<Dv {
        let average = weights.indices.reduce(0) { $0 + weights[$1] * v[(firstKey + $1) * Dv + column] } / sum
        output.append(Float(average))
      }
    }
  }
  return try Tensor(output, shape: [1, Hq, Tq, Dv])
}

/// What Float attention may differ by from the formula, for unit-variance inputs.
let floatTolerance = 2e-6

/// The same where keys and values are stored in 16 bits.
let halfTolerance = 2e-5

extension Tensor {
  /// Where the first element lies, to tell a view from a copy.
  var address: Int { withUnsafePointer { Int(bitPattern: $0) } }
}
