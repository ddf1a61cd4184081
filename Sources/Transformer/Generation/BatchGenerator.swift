import Attention
import Synchronization
import Tensors

/// Answers many prompts together: continuous batching over one pool of pages.
///
///     let generator = try BatchGenerator(model, options, poolTokens: 32_768)
///     try generator.generate(prompts) { index, result in … }             // each as it is finished
///
/// A step of the model takes the next token of each prompt that is under way and, as far as ``stepTokens`` go, pieces of prompts that are
/// new. A prompt is taken up when the pool has pages for it; whole pages at its start that another had are not computed again. When the pool
/// is full all the same, the youngest prompt gives its pages back and goes on later. Greedy tokens are those of a ``GenerationSession``, but
/// where rounding decides between logits that are all but equal.
public final class BatchGenerator: Sendable {
  /// How many of the largest logits after a prompt results have.
  public static let topLogitCount = 8

  /// The model.
  public let model: LanguageModel

  /// How tokens are chosen, for all prompts alike; each has its own draws, of the same seed.
  public let options: GenerationOptions

  /// The most tokens of all prompts in one step.
  public let stepTokens: Int

  /// Keys and values of all prompts; also of earlier calls, as far as there is room.
  public let pool: KeyValuePool

  /// One call at a time: each counts on the pages that are free.
  private let turn = Mutex(())

  /// A generator with a pool of its own.
  ///
  /// - Parameters:
  ///   - model: the model.
  ///   - options: without a window, and without a tolerance.
  ///   - poolTokens: how many tokens the pool holds, rounded up to pages of 64.
  ///   - stepTokens: the most tokens of one step.
  /// - Throws: ``ModelError`` where an option is out of its range, or there is no memory.
  public init(
    _ model: LanguageModel, _ options: GenerationOptions = GenerationOptions(), poolTokens: Int,
    stepTokens: Int = 512
  ) throws(ModelError) {
    try options.check()
    guard options.window == nil else { throw ModelError("window", "given, expected none in a batch") }
    // Prompts beside it in a step would decide whether a token keeps to it or is exact.
    guard options.tolerance == nil else { throw ModelError("tolerance", "given, expected none in a batch") }
    guard poolTokens >= 1 else { throw ModelError("poolTokens", "\(poolTokens) given, expected at least 1") }
    guard stepTokens >= 1 else { throw ModelError("stepTokens", "\(stepTokens) given, expected at least 1") }
    (self.model, self.options, self.stepTokens) = (model, options, stepTokens)
    pool = try asModelError { () throws(AttentionError) in
      try model.decoder.makePool(
        keys: options.keys, values: options.values, pages: (poolTokens - 1) / 64 + 1)
    }
  }

  /// Generates from all prompts. Calls of several threads take turns; none may come from within `shouldGoOn` or `onResult`.
  ///
  /// - Parameters:
  ///   - prompts: the tokens of each.
  ///   - scoring: whether prompts are scored, which costs logits of all their tokens and the reuse of what others had.
  ///   - shouldGoOn: called before each step; false ends the call, and prompts under way give no result.
  ///   - onResult: called for each prompt once, with its index, when it is finished; with an error where it is empty, too long for the
  ///     context or the pool, or its logits are NaN. The others go on. A text that fills the pool alone ends with
  ///     ``GenerationEnd/capacity``.
  /// - Throws: ``ModelError`` where the model fails as a whole.
  public func generate(
    _ prompts: [[Int]], scoring: Bool = false, shouldGoOn: () -> Bool = { true },
    onResult: (Int, Result<BatchResult, ModelError>) -> Void
  ) throws(ModelError) {
    try turn.withLock { _ throws(ModelError) in
      try generate(prompts, scoring, shouldGoOn, onResult)
    }
  }

  private func generate(
    _ prompts: [[Int]], _ scoring: Bool, _ shouldGoOn: () -> Bool,
    _ onResult: (Int, Result<BatchResult, ModelError>) -> Void
  ) throws(ModelError) {
    var run = BatchRun(self, scoring: scoring)
    for (index, prompt) in prompts.enumerated() {
      do throws(ModelError) {
        try run.add(prompt, index)
      } catch {
        onResult(index, .failure(error))
      }
    }
    while run.isUnderWay, shouldGoOn() {
      for (index, result) in try run.step() { onResult(index, result) }
    }
  }
}
