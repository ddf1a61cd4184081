#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How a rotary embedding is stretched beyond the length that its model was trained on.
///
/// Without scaling pair `i` of `R/2` turns by `θ[i] = base^(−2i/R)` from one position to the next. Each rule changes the `θ[i]`;
/// YaRN also multiplies all cosines and sines. The rules and their defaults are those of Hugging Face's `rope_scaling`, whose
/// `original_max_position_embeddings` is `trainedLength` here. Everything is computed in Float64.
public enum RotaryScaling: Sendable, Hashable {
  /// `θ[i]` as it is.
  case none

  /// Position interpolation (`linear`): `θ[i] / factor`. Chen et al. 2023, "Extending Context Window of Large Language Models
  /// via Positional Interpolation".
  case linear(factor: Double)

  /// NTK-aware scaling for sequences of up to `currentLength` (`dynamic`): a larger base,
  /// `base · (factor · n / trainedLength − (factor − 1))^(R / (R − 2))` with `n = max(currentLength, trainedLength)`.
  ///
  /// The base depends on the length, so that a sequence that outgrows `currentLength` asks for a new embedding; up to
  /// `trainedLength` nothing changes. Here `trainedLength` is Hugging Face's `max_position_embeddings`.
  case dynamicNTK(factor: Double, trainedLength: Int, currentLength: Int)

  /// YaRN (`yarn`): fast pairs keep their `θ[i]`, slow ones get `θ[i] / factor`, those between a blend of both. Peng et al.
  /// 2023, "YaRN: Efficient Context Window Extension of Large Language Models".
  ///
  /// Pairs that turn more than `betaFast` times within `trainedLength` are fast, those that turn less than `betaSlow` times
  /// slow; between them the blend is linear in `i`, from whole indices where `truncates`. Cosines and sines are multiplied by
  /// `attentionFactor`, so that scores grow with its square; nil means `0.1 · ln(factor) + 1`, or 1 where `factor` is at most
  /// 1. For models that have `mscale` and `mscale_all_dim`, see ``yarnAttentionFactor(factor:mscale:mscaleAllDimensions:)``.
  case yarn(
    factor: Double, trainedLength: Int, betaFast: Double = 32, betaSlow: Double = 1,
    attentionFactor: Double? = nil, truncates: Bool = true)

  /// The rule of Llama 3.1 (`llama3`): pairs with a wavelength `2π / θ[i]` under `trainedLength / highFrequencyFactor` keep
  /// their `θ[i]`, those over `trainedLength / lowFrequencyFactor` get `θ[i] / factor`; between them the blend is linear in
  /// `trainedLength / wavelength`.
  case llama3(
    factor: Double, lowFrequencyFactor: Double = 1, highFrequencyFactor: Double = 4,
    trainedLength: Int = 8192)

  /// Each pair's `θ[i]` divided by a number of its own: how GGUF files of Llama 3 give their rule (`rope_freqs`).
  case divisors([Double])

  /// YaRN's `attentionFactor` for a model that gives `mscale` and `mscale_all_dim`, DeepSeek-V2 and V3 for instance:
  /// `(0.1 · mscale · ln(factor) + 1) / (0.1 · mscaleAllDimensions · ln(factor) + 1)`, and 1 where `factor` is at most 1.
  public static func yarnAttentionFactor(
    factor: Double, mscale: Double, mscaleAllDimensions: Double
  ) -> Double {
    factor <= 1 ? 1 : (0.1 * mscale * log(factor) + 1) / (0.1 * mscaleAllDimensions * log(factor) + 1)
  }
}

/// What the tables are made from: how far each pair turns from one position to the next, in radians, and the length of the
/// vectors that turn.
package struct RotarySpectrum: Sendable, Hashable {
  /// One per pair.
  package let frequencies: [Double]
  /// What cosines and sines are multiplied by.
  package let amplitude: Double
}

extension RotaryScaling {
  /// The frequencies of a rotary dimension, scaled.
  ///
  /// - Precondition: the dimension is even and at least 2, the base finite and at least 1.
  package func spectrum(rotaryDimension: Int, base: Double) throws(AttentionError) -> RotarySpectrum {
    try check(base: base)
    let plain = Self.frequencies(rotaryDimension, base)
    var amplitude = 1.0
    var scaled = plain
    switch self {
    case .none:
      break
    case .linear(let factor):
      scaled = plain.map { $0 / factor }
    case .dynamicNTK(let factor, let trainedLength, let currentLength):
      let stretch = factor * Double(max(currentLength, trainedLength)) / Double(trainedLength) - (factor - 1)
      // A lone pair has frequency 1 whatever the base, and no finite exponent.
      let exponent = rotaryDimension == 2 ? 0 : Double(rotaryDimension) / Double(rotaryDimension - 2)
      scaled = Self.frequencies(rotaryDimension, base * pow(stretch, exponent))
    case .yarn(let factor, let trainedLength, let betaFast, let betaSlow, let attentionFactor, let truncates):
      let ramp = YaRNRamp(
        rotaryDimension: rotaryDimension, base: base, trainedLength: trainedLength, betaFast: betaFast,
        betaSlow: betaSlow, truncates: truncates)
      scaled = plain.indices.map { plain[$0] * (1 - ramp[$0]) + plain[$0] / factor * ramp[$0] }
      amplitude =
        attentionFactor ?? Self.yarnAttentionFactor(factor: factor, mscale: 1, mscaleAllDimensions: 0)
    case .llama3(let factor, let low, let high, let trainedLength):
      scaled = plain.map { frequency in
        let turns = Double(trainedLength) * frequency / (2 * .pi)
        // 1 for pairs that turn often enough within the trained length, 0 for the slow ones.
        let kept = min(max((turns - low) / (high - low), 0), 1)
        return (1 - kept) * frequency / factor + kept * frequency
      }
    case .divisors(let divisors):
      guard divisors.count == plain.count else {
        throw AttentionError(
          "scaling", "\(divisors.count) divisors given, expected one for each of \(plain.count) pairs")
      }
      scaled = zip(plain, divisors).map { $0 / $1 }
    }
    return RotarySpectrum(frequencies: scaled, amplitude: amplitude)
  }

  private static func frequencies(_ rotaryDimension: Int, _ base: Double) -> [Double] {
    (0..<rotaryDimension / 2).map { pow(base, -Double(2 * $0) / Double(rotaryDimension)) }
  }
}

// MARK: - Checks

extension RotaryScaling {
  private func check(base: Double) throws(AttentionError) {
    switch self {
    case .none:
      break
    case .linear(let factor):
      try Self.check(factor, "factor")
    case .dynamicNTK(let factor, let trainedLength, let currentLength):
      try Self.check(factor, "factor")
      try Self.check(trainedLength, "trained length")
      try Self.check(currentLength, "current length")
    case .yarn(let factor, let trainedLength, let betaFast, let betaSlow, let attentionFactor, _):
      try Self.check(factor, "factor")
      try Self.check(trainedLength, "trained length")
      try Self.check(betaSlow, "betaSlow")
      try Self.check(betaFast, "betaFast")
      guard betaFast > betaSlow else {
        throw AttentionError("scaling", "betaFast \(betaFast) given, expected more than betaSlow \(betaSlow)")
      }
      if let attentionFactor {
        try Self.check(attentionFactor, "attention factor")
        guard Float(attentionFactor).isFinite else {
          throw AttentionError(
            "scaling", "attention factor \(attentionFactor) given, expected one that a Float holds")
        }
      }
      // Which pair turns how often is found by logarithms to the base.
      guard base > 1 else { throw AttentionError("base", "\(base) given, YaRN expects more than 1") }
    case .llama3(let factor, let low, let high, let trainedLength):
      try Self.check(factor, "factor")
      try Self.check(low, "low-frequency factor")
      try Self.check(high, "high-frequency factor")
      try Self.check(trainedLength, "trained length")
      guard high > low else {
        throw AttentionError(
          "scaling", "high-frequency factor \(high) given, expected more than the low one's \(low)")
      }
    case .divisors(let divisors):
      for divisor in divisors { try Self.check(divisor, "divisor") }
    }
  }

  private static func check(_ value: Double, _ name: String) throws(AttentionError) {
    guard value.isFinite, value > 0 else {
      throw AttentionError("scaling", "\(name) \(value) given, expected a finite number above 0")
    }
  }

  private static func check(_ length: Int, _ name: String) throws(AttentionError) {
    guard length >= 1 else {
      throw AttentionError("scaling", "\(name) \(length) given, expected at least 1")
    }
  }
}

/// How much of YaRN's interpolation each pair gets: 0 for fast pairs, 1 for slow ones.
private struct YaRNRamp {
  private let low: Double
  private let high: Double

  init(
    rotaryDimension: Int, base: Double, trainedLength: Int, betaFast: Double, betaSlow: Double,
    truncates: Bool
  ) {
    let dimension = Double(rotaryDimension)
    // The index of the pair that turns so often within the trained length, from trainedLength · base^(−2i/R) = 2π · turns.
    func index(turns: Double) -> Double {
      dimension * log(Double(trainedLength) / (turns * 2 * .pi)) / (2 * log(base))
    }
    let (fast, slow) = (index(turns: betaFast), index(turns: betaSlow))
    // Both ends are cut to 0 ... R − 1 as the paper's code does to one each; where that code's ends do not cross they are equal.
    func cut(_ index: Double) -> Double { min(max(index, 0), dimension - 1) }
    low = cut(truncates ? fast.rounded(.down) : fast)
    let end = cut(truncates ? slow.rounded(.up) : slow)
    // A ramp of no length becomes a step.
    high = end == low ? low + 0.001 : end
  }

  subscript(pair: Int) -> Double {
    min(max((Double(pair) - low) / (high - low), 0), 1)
  }
}
