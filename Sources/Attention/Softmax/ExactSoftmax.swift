#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The softmax of a row in Double, with an answer for infinite scores.
struct ExactSoftmax {
  private let sink: Double?
  private var maximum = -Double.infinity
  private var infinities = 0
  private var hasNaN = false
  /// Of the terms of all keys.
  private var sum = 0.0

  /// - Parameter scores: those of a row; nil for keys that it does not see.
  init(_ scores: [Double?], sink: Double?) {
    self.sink = sink
    for case let score? in scores {
      if score.isNaN { hasNaN = true }
      if score == .infinity { infinities += 1 }
      maximum = max(maximum, score)
    }
    if hasNoSum || isEmpty { return }
    for case let score? in scores { sum += term(score) }
  }

  /// Whether no score is above −∞: there is nothing to weigh.
  var isEmpty: Bool { maximum == -.infinity && !hasNaN }

  /// Whether scores alone leave the row undefined.
  private var hasNoSum: Bool { hasNaN || infinities > 1 }

  /// ∞ − ∞ has no value: two scores of +∞ share the weight in no defined way, and so do one and a sink of +∞.
  var isUndefined: Bool {
    hasNoSum || sink?.isNaN == true || (infinities == 1 && sink == .infinity)
  }

  /// What a score contributes to the sum. A single +∞ takes all the weight.
  private func term(_ score: Double) -> Double {
    infinities == 1 ? (score == .infinity ? 1 : 0) : exp(score - maximum)
  }

  /// The share of a score that the query sees.
  func weight(_ score: Double?) -> Double {
    guard let score else { return 0 }
    guard let sink, infinities == 0 else { return term(score) / sum }
    // The larger of maximum and sink is the common scale: nothing overflows.
    let scale = max(maximum, sink)
    return exp(score - scale) / (sum * exp(maximum - scale) + (sink == scale ? 1 : exp(sink - scale)))
  }

  /// Without the sink.
  var logSumExp: Double {
    if hasNoSum { return .nan }
    return isEmpty ? -.infinity : maximum + log(sum)
  }
}
