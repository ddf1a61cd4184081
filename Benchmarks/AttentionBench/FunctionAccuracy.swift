import BenchmarkKit
import CAttentionKernels
import Foundation

/// How far the kernels' exp and tanh are from the exact values, in units in the last place, for the instruction set that runs.
///
/// Float is held against Double, Double against the 80-bit format of x86, which has 11 bits more; other processors have no line for Double.
struct FunctionAccuracy {
  static let header = ["function", "type", "arguments", "largest error, ulp", "at"]

  static var set: String { String(cString: CAttentionKernels_active().pointee.name) }

  static func rows() -> [[String]] {
    let kernels = CAttentionKernels_active().pointee
    let floats = Self.floats(from: -0.0, through: -104)
    let ratios = Self.floats(from: 0, through: 10)
    var rows = [
      row("exp(x)", "float32", floats) { x in
        var y = [Float](repeating: 0, count: x.count)
        kernels.f32.exp_nonpositive(x, &y, x.count)
        return zip(x, y).map { ulps(of: Double($1), from: exp(Double($0)), smallest: 0x1p-149, digits: 24) }
      },
      row("tanh(x)", "float32", ratios) { x in
        var y = x
        _ = kernels.f32.softcap(&y, x.count, 1)
        return zip(x, y).map { ulps(of: Double($1), from: tanh(Double($0)), smallest: 0x1p-149, digits: 24) }
      },
    ]
    #if arch(x86_64)
      let doubles = floats.map { 6.8 * Double($0) }
      rows.append(
        row("exp(x)", "float64", doubles) { x in
          var y = [Double](repeating: 0, count: x.count)
          kernels.f64.exp_nonpositive(x, &y, x.count)
          return zip(x, y).map {
            ulps(of: Float80($1), from: exp(Float80($0)), smallest: 0x1p-1074, digits: 53)
          }
        })
      rows.append(
        row("tanh(x)", "float64", ratios.map { 2.1 * Double($0) }) { x in
          var y = x
          _ = kernels.f64.softcap(&y, x.count, 1)
          return zip(x, y).map {
            ulps(of: Float80($1), from: tanh(Float80($0)), smallest: 0x1p-1074, digits: 53)
          }
        })
    #endif
    return rows
  }

  private static func row<Number: BinaryFloatingPoint>(
    _ function: String, _ type: String, _ arguments: [Number], _ errors: ([Number]) -> [Double]
  ) -> [String] {
    let errors = errors(arguments)
    let worst = errors.indices.max { errors[$0] < errors[$1] } ?? 0
    return [
      function, type, "\(arguments.count)", String(format: "%.2f", errors[worst]),
      String(format: "%.9g", Double(arguments[worst])),
    ]
  }

  /// Every 997th number of a sign by its bits: all exponents, and last bits of every kind.
  private static func floats(from first: Float, through last: Float) -> [Float] {
    stride(from: first.bitPattern, through: last.bitPattern, by: 997).map { Float(bitPattern: $0) }
  }
}

/// An error in units in the last place of the exact value, in a format of so many binary digits whose smallest number is given.
private func ulps<Wide: BinaryFloatingPoint>(
  of result: Wide, from exact: Wide, smallest: Wide, digits: Int
) -> Double {
  let unit = exact == 0 ? smallest : max(smallest, exact.binade.magnitude * power(of: 1 - digits))
  let error = Double((result - exact).magnitude / unit)
  // A NaN must be larger than anything.
  return error.isNaN ? .infinity : error
}

private func power<Wide: BinaryFloatingPoint>(of exponent: Int) -> Wide {
  Wide(sign: .plus, exponent: Wide.Exponent(exponent), significand: 1)
}
