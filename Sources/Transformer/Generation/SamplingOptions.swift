/// How the next token is chosen from logits.
///
/// In this order, as Hugging Face's Transformers does it: the penalty on repetition, temperature, ``topK``, ``topP``, ``minP``; then a draw
/// from what is left.
public struct SamplingOptions: Sendable, Equatable {
  /// What logits are divided by; 0 takes the largest, without a draw.
  ///
  /// A token that is then less than 2⁻²³ times as probable as the most probable one is never drawn, but where it is one of ``topK``.
  public var temperature: Double

  /// Only this many of the largest logits stay; nil for all.
  public var topK: Int?

  /// Only the most probable tokens stay, as few as have at least this probability together; nil or 1 for all.
  public var topP: Double?

  /// Only tokens stay that are at least this many times as probable as the most probable one; nil or 0 for all.
  public var minP: Double?

  /// What the logits of recent tokens are divided by, those below 0 multiplied by; 1 for no penalty.
  public var repetitionPenalty: Double

  /// How many tokens count as recent, the prompt's included.
  public var repetitionWindow: Int

  /// Draw `i` depends on the seed and on `i` alone.
  public var seed: UInt64

  /// Options; greedy where nothing is said.
  public init(
    temperature: Double = 0, topK: Int? = nil, topP: Double? = nil, minP: Double? = nil,
    repetitionPenalty: Double = 1, repetitionWindow: Int = 64, seed: UInt64 = 0
  ) {
    self.temperature = temperature
    self.topK = topK
    self.topP = topP
    self.minP = minP
    self.repetitionPenalty = repetitionPenalty
    self.repetitionWindow = repetitionWindow
    self.seed = seed
  }

  /// Throws where a number is out of its range.
  func check() throws(ModelError) {
    func refuse(_ name: String, _ value: Any, _ expected: String) -> ModelError {
      ModelError(name, "\(value) given, expected \(expected)")
    }
    // A comparison with NaN is false, so each condition says what is right.
    guard temperature >= 0, temperature.isFinite else {
      throw refuse("temperature", temperature, "a finite number of at least 0")
    }
    if let topK, topK < 1 { throw refuse("topK", topK, "at least 1") }
    if let topP, !(topP > 0 && topP <= 1) { throw refuse("topP", topP, "a number above 0 and at most 1") }
    if let minP, !(minP >= 0 && minP <= 1) { throw refuse("minP", minP, "a number from 0 to 1") }
    guard repetitionPenalty > 0, repetitionPenalty.isFinite else {
      throw refuse("repetitionPenalty", repetitionPenalty, "a finite number above 0")
    }
    guard repetitionWindow >= 0 else { throw refuse("repetitionWindow", repetitionWindow, "at least 0") }
  }
}
