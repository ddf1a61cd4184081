import CAttentionKernels

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How far a row's output can be from attention over the 16-bit keys, where the low bytes of some keys were not read.
///
/// Let `s[j]` be the score of key `j` from both planes, `ŝ[j]` the one that is used, and `p`, `p̂` the softmax of each.
///
/// **Scores.** The true key is `k`, its high bytes alone are `k̂`, and the query that multiplies them is `q̂`, rounded to 16 bits. Where the low
/// bytes were not read,
///
///     s − ŝ = scale · (q · (k − k̂) + (q − q̂) · k̂) + the rounding of the product
///     |s − ŝ| ≤ |scale| · (‖q‖ · ρ + (‖q − q̂‖ + r · ‖q‖) · ‖k̂‖) = d[j]          by Cauchy and Schwarz
///
/// with `ρ ≥ ‖k − k̂‖` and `‖k‖` kept beside each key, `‖k̂‖ ≤ ‖k‖ + ρ`, and `r` the relative rounding of a product. Where they were read,
/// `|s − ŝ| ≤ e`: what rounding the query and the product leave, for the longest key. A softcap brings scores closer together; biases, ALiBi and
/// masks leave differences as they are.
///
/// **Weights.** Write `s[j] = ŝ[j] + ε[j]`. Then `p[j] = p̂[j] · e^ε[j] / R` with `R = Σ p̂ · e^ε`. The differences `p − p̂` add up to 0, so their
/// sizes add up to twice their positive part and twice their negative part. Where `R ≥ 1`, the positive part is at most
/// `Σ p̂ · (e^ε − 1)₊`; where `R < 1`, the negative part is at most `Σ p̂ · (1 − e^ε)₊`. Both are at most `Σ p̂ · (e^|ε| − 1)`:
///
///     Σ |p − p̂| ≤ 2 · Σ p̂[j] · (e^|ε[j]| − 1) ≤ 2 · (e^e · U + e^e − 1)         U = Σ over unread keys of p̂[j] · (e^d[j] − 1)
///
/// A sink is one more key, with `ε = 0` and a value of 0.
///
/// **Output.** A component moves by at most `Σ |p − p̂| · |v|`, so by at most that sum times the largest `|v|`. The bound is relative to it.
/// What Float arithmetic does to weights and sums is added: see ``arithmetic(parts:)``.
///
/// The largest terms of `U` are those whose low bytes are worth reading. A worst-case bound without the weights, `max d`, is a hundred times
/// the error and more; a bound for whole pages needs nearly all of them.
struct WeightBounds {
  /// What of the tolerance is left for weights, `2 · Σ p̂ · (e^|ε| − 1)`.
  private let forWeights: Double
  private let arithmetic: Double

  init(tolerance: Double, parts: Int) {
    arithmetic = Self.arithmetic(parts: parts)
    forWeights = tolerance - arithmetic
  }

  /// What rounding in Float adds to an output, relative to the largest value, in units of 2⁻²⁴: sums of up to 1024 values and as many
  /// weights one after another, each product rounded; exponentials within 2 ulp of arguments down to −104, which are rounded once; and for
  /// each part one factor and one addition of outputs and of sums.
  static func arithmetic(parts: Int) -> Double {
    let roundings = 2 * 1024 + 2 * 108 + 64 + 4 * parts
    return Double(roundings) * 0x1p-24
  }

  /// What the terms of unread keys may add up to, in units of the weights' sum; 0 or less where all have to be read.
  ///
  /// Reading low bytes moves the weights' sum a little, which is not known before: 3 % is kept back. A block whose bound comes out above
  /// the tolerance all the same is computed again with all low bytes.
  func unreadShare(error: Double) -> Double {
    let growth = exp(error)
    return 0.97 * (forWeights / 2 - (growth - 1)) / growth
  }

  /// The bound of a row; NaN where there is none.
  ///
  /// - Parameters:
  ///   - unread: the terms of unread keys, in units of the weights' sum.
  ///   - error: by how much the score of a key can be off whose low bytes were read.
  func bound(unread: Double, error: Double) -> Double {
    // Sums of terms are Floats, and so is that of weights, in whose units they are.
    let growth = exp(error)
    let weights = 2 * (growth * unread * (1 + 0x1p-13 + arithmetic) + growth - 1)
    return weights + arithmetic
  }
}

/// By how much the scores of a row's keys can be off, from the lengths of a key: `norm · ‖k‖ + residual · ρ` where low bytes are not read, `read · ‖k‖`
/// where they are, and `whole · ‖k‖` where both planes are multiplied as Floats.
struct ScoreErrors {
  let residual: Float
  let norm: Float
  let read: Float
  let whole: Float

  /// Whether the kernel of terms takes them.
  var areUsable: Bool { residual <= 0x1p127 && norm <= 0x1p127 }

  /// - Parameters:
  ///   - query: as Floats, times the factor of queries.
  ///   - integers: the same rounded; nil where both planes are multiplied as Floats.
  ///   - unit: of the integers.
  ///   - factor: the scale of products.
  ///   - lanes: columns that a vector adds side by side.
  ///   - hasRules: whether products are changed before they are scores.
  init(
    query: UnsafePointer<Float>, integers: UnsafePointer<Int16>?, unit: Float, factor: Float, columns: Int,
    lanes: Int, hasRules: Bool
  ) {
    var (squares, rest) = (SIMD8<Float>(), SIMD8<Float>())
    let whole = columns / 8 * 8
    for first in stride(from: 0, to: whole, by: 8) {
      let x = UnsafeRawPointer(query + first).loadUnaligned(as: SIMD8<Float>.self)
      squares += x * x
      guard let integers else { continue }
      let rounded = UnsafeRawPointer(integers + first).loadUnaligned(as: SIMD8<Int16>.self)
      let difference = x - SIMD8<Float>(rounded) * unit
      rest += difference * difference
    }
    for column in whole..<columns {
      let difference = integers.map { query[column] - Float($0[column]) * unit } ?? 0
      squares[0] += query[column] * query[column]
      rest[0] += difference * difference
    }
    // A lane adds columns / 8 products: what rounding takes from lengths is given back. So is what becomes 0 below the normal range.
    let columns = Double(columns)
    let slack = 1 + (columns / 8 + 16) * 0x1p-23
    let lost = columns.squareRoot() * 1e-22
    let length = Double(squares.sum()).squareRoot() * slack + lost
    let difference = Double(rest.sum()).squareRoot() * slack + length * 0x1p-24 + lost
    let size = Double(abs(factor)) * (1 + 0x1p-20)
    // In units of 2⁻²⁴: integers are summed up exactly, 480 at a time, and come to Float; such sums of high bytes are added to each other, those of
    // low bytes to the score. Both meet three factors, of which the scale was rounded before. A softcap is off by up to 6 ulp of what it is given.
    // Products of Floats are added in lanes, and lanes pairwise.
    let sums = (columns / 480).rounded(.up)
    let roundings: Double = 2 * sums + (hasRules ? 21 : 9)
    let products = size * (difference + roundings * 0x1p-24 * length)
    residual = Float(size * length + products)
    norm = Float(products)
    // Both planes of a key are multiplied, ‖k̂‖ + ρ ≤ ‖k‖ + 2 ρ. A row of low bytes is at most 128 · √D / 32639 as long as its key, whose largest
    // integer is 32639, or half of that where the unit is subnormal.
    read = Float(products * (1 + 512 * columns.squareRoot() / 32639))
    self.whole = Float(size * length * (columns / Double(lanes) + roundings + 12) * 0x1p-24)
  }
}
