import LinearAlgebra
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Chooses tokens from logits by ``SamplingOptions``.
///
///     var sampler = try Sampler(SamplingOptions(temperature: 0.8, topP: 0.95, seed: 7))
///     let token = try sampler.sample(logits, after: tokens)
///
/// The same options and the same logits give the same tokens, on every machine whose `exp` rounds alike.
public struct Sampler: Sendable {
  /// How tokens are chosen.
  public let options: SamplingOptions

  /// How many draws were made.
  public private(set) var draws = 0

  private let random: RandomStream

  /// A sampler at its first draw.
  ///
  /// - Throws: ``ModelError`` that names the option that is out of its range.
  public init(_ options: SamplingOptions) throws(ModelError) {
    try options.check()
    self.options = options
    random = RandomStream(seed: options.seed)
  }

  /// The next token.
  ///
  /// - Parameters:
  ///   - logits: one a token of the vocabulary; −∞ for a token that must not come.
  ///   - tokens: those so far, for the penalty on repetition; ids out of range do not count.
  /// - Throws: ``ModelError`` where there are no logits, one is NaN or +∞, or all are −∞. No draw is made then.
  ///
  /// Cost: some passes over the logits, and a logarithm for each token that top-k or top-p keeps.
  public mutating func sample(_ logits: [Float], after tokens: [Int]) throws(ModelError) -> Int {
    try logits.withUnsafeBufferPointer { (logits) throws(ModelError) in try sample(logits, after: tokens) }
  }

  /// The same of logits in memory that is another's: without a penalty none of them is copied.
  mutating func sample(
    _ logits: UnsafeBufferPointer<Float>, after tokens: [Int]
  ) throws(ModelError) -> Int {
    let best = try Self.best(of: logits)
    if options.repetitionPenalty == 1 { return choose(logits, best: best) }
    var penalised = Array(logits)
    penalise(&penalised, tokens)
    return try penalised.withUnsafeBufferPointer { (logits) throws(ModelError) in
      choose(logits, best: try Self.best(of: logits))
    }
  }

  /// The largest, or a draw.
  private mutating func choose(_ logits: UnsafeBufferPointer<Float>, best: Candidate) -> Int {
    if options.temperature == 0 || options.topK == 1 { return best.token }
    let (kept, weights) = survivors(logits, best: best)
    let total = weights.reduce(0, +)
    // 53 bits in [0, 1): below the total even where the product is rounded up to it.
    var rest = Double(random.bits(draws) >> 11) * 0x1p-53 * total
    draws += 1
    for (candidate, weight) in zip(kept, weights) {
      rest -= weight
      if rest < 0 { return candidate.token }
    }
    // Rounding of sums left a sliver behind the last one that has any weight.
    return weights.lastIndex { $0 > 0 }.map { kept[$0].token } ?? best.token
  }

  /// The token of the largest logit, the lowest of several.
  private static func best(of logits: UnsafeBufferPointer<Float>) throws(ModelError) -> Candidate {
    if let base = logits.baseAddress, !logits.isEmpty, areFinite(logits) {
      let token = indexOfLargest(base, count: logits.count)
      return Candidate(token: token, logit: logits[token])
    }
    // Minus infinity is right, and all else is told where it stands.
    var (token, largest) = (-1, -Float.infinity)
    for (index, logit) in logits.enumerated() {
      if logit > largest { (token, largest) = (index, logit) }
      if logit.isNaN {
        throw ModelError("logits", "that of token \(index) is \(logit), expected a number below infinity")
      }
    }
    guard token >= 0 else {
      throw ModelError(
        "logits",
        logits.isEmpty ? "none given, expected one a token" : "all are -inf, expected one token that may come"
      )
    }
    guard largest < .infinity else {
      throw ModelError("logits", "that of token \(token) is inf, expected a number below infinity")
    }
    return Candidate(token: token, logit: largest)
  }

  private func penalise(_ logits: inout [Float], _ tokens: [Int]) {
    let penalty = Float(options.repetitionPenalty)
    if penalty == 1 { return }
    for token in Set(tokens.suffix(options.repetitionWindow)) where logits.indices.contains(token) {
      let logit = logits[token]
      // Tiny penalties may exceed a Float's range, which is no reason for an infinite logit.
      let penalised = logit > 0 ? logit / penalty : logit * penalty
      logits[token] = min(penalised, .greatestFiniteMagnitude)
    }
  }

  /// What may be drawn, and with what weight in parts of the largest.
  private func survivors(
    _ logits: UnsafeBufferPointer<Float>, best: Candidate
  ) -> (kept: [Candidate], weights: [Double]) {
    let top = Double(best.logit), temperature = options.temperature
    func weight(_ candidate: Candidate) -> Double { exp((Double(candidate.logit) - top) / temperature) }
    var kept: [Candidate]
    if let topK = options.topK, topK < logits.count {
      kept = largest(topK, of: logits)
    } else {
      // Most of a vocabulary is so improbable that a Float of 1 would not notice: it costs a comparison, and no exponential.
      let least = Float(top + temperature * log(Double(Float.ulpOfOne)))
      kept = []
      for (token, logit) in logits.enumerated() where logit >= least {
        kept.append(Candidate(token: token, logit: logit))
      }
    }
    var weights = kept.map(weight)
    if let topP = options.topP, topP < 1 {
      let enough = topP * weights.reduce(0, +)
      // Those above some weight are the first in order. Where they suffice, as they mostly do, the others need not be ordered.
      let likely = kept.indices.filter { weights[$0] >= 0.001 }
      let suffice = likely.reduce(0) { $0 + weights[$1] } > enough
      var heap = CandidateHeap(firstOnTop: true, suffice ? likely.map { kept[$0] } : kept)
      var sum = 0.0
      (kept, weights) = ([], [])
      while sum < enough, let next = heap.pop() {
        kept.append(next)
        weights.append(weight(next))
        sum += weights[weights.count - 1]
      }
    }
    if let minP = options.minP, minP > 0 {
      let likely = zip(kept, weights).filter { $1 >= minP }
      (kept, weights) = (likely.map(\.0), likely.map(\.1))
    }
    return (kept, weights)
  }
}
