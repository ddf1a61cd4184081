/// What generation took, in seconds.
public struct GenerationTimings: Sendable, Equatable {
  /// Tokens of prompts that went through the model.
  public var promptTokens = 0

  /// The passes of prompts, without what scoring them took.
  public var promptSeconds = 0.0

  /// From the start of the first prompt to the first token; nil before it.
  public var firstToken: Double?

  /// For each token after the first, from the one before it on: a pass and a choice.
  public var tokenSeconds: [Double] = []

  /// All of ``tokenSeconds``.
  public var generationSeconds: Double { tokenSeconds.reduce(0, +) }

  /// Prompt tokens a second; nil before a prompt.
  public var promptRate: Double? {
    promptTokens > 0 && promptSeconds > 0 ? Double(promptTokens) / promptSeconds : nil
  }

  /// Tokens a second after the first, which the prompt's pass gives; nil for fewer than two.
  public var generationRate: Double? {
    let seconds = generationSeconds
    return seconds > 0 ? Double(tokenSeconds.count) / seconds : nil
  }

  /// Nothing took any time yet.
  public init() {}
}

/// Seconds since an instant.
func seconds(since start: ContinuousClock.Instant) -> Double {
  let (seconds, attoseconds) = (ContinuousClock.now - start).components
  return Double(seconds) + Double(attoseconds) * 1e-18
}
