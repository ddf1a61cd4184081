import Attention

/// What tokens come from one by one: ``GenerationSession`` and ``SpeculativeGenerator``.
public protocol TokenSource: AnyObject {
  /// Takes a prompt in; see ``GenerationSession/prefill(_:scoring:shouldGoOn:)``.
  func prefill(
    _ prompt: [Int], scoring: Bool, shouldGoOn: (Int) -> Bool
  ) throws(ModelError) -> Bool

  /// The next token; nil at the end.
  func next() throws(ModelError) -> Int?

  /// Why there are no more tokens; nil while there are.
  var end: GenerationEnd? { get }

  /// What it took.
  var timings: GenerationTimings { get }

  /// How many rows of keys' low bytes passes of few tokens read; see ``GenerationOptions/tolerance``.
  var lowByteReads: LowByteReads { get }

  /// The mean of −ln p over the prompt's tokens after the first; nil where none was scored.
  var negativeLogLikelihood: Double? { get }

  /// The largest logits of the next token.
  func largestLogits(_ count: Int) -> [(token: Int, logit: Float)]
}
