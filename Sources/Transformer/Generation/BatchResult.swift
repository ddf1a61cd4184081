/// What became of one prompt of a batch.
public struct BatchResult: Sendable {
  /// The tokens that were generated.
  public internal(set) var tokens: [Int] = []

  /// Their text, up to a stop text.
  public internal(set) var text = ""

  /// Why they ended.
  public internal(set) var end = GenerationEnd.maximum

  /// The largest logits after the prompt, the largest first; at most ``BatchGenerator/topLogitCount``.
  public internal(set) var topLogits: [(token: Int, logit: Float)] = []

  /// The mean of −ln p over the prompt's tokens after the first; nil where prompts are not scored.
  public internal(set) var negativeLogLikelihood: Double?

  /// From the moment on when it was taken up; other prompts' passes count as well.
  public internal(set) var timings = GenerationTimings()

  /// Tokens of the prompt that others had computed before.
  public internal(set) var reusedTokens = 0

  /// How often it had to make room for others, and was computed again from its start.
  public internal(set) var restarts = 0
}
