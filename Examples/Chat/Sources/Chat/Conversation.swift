import Transformer

/// A conversation whose earlier turns are not computed again.
///
/// The turns' keys and values stay in one ``GenerationSession``. What it holds are the tokens that the model saw and wrote; a new turn
/// appends what the template writes behind them.
final class Conversation {
  private let model: LanguageModel
  private let sampling: SamplingOptions
  private let answerTokens: Int
  private var messages: [ChatTemplate.Message] = []
  private var session: GenerationSession

  /// How many tokens of the last question's prompt went through the model; those of earlier turns did not.
  private(set) var computedTokens = 0

  /// A conversation without turns.
  ///
  /// - Parameter answerTokens: the most tokens of an answer.
  init(
    _ model: LanguageModel, _ sampling: SamplingOptions = SamplingOptions(), answerTokens: Int = 512
  ) throws(ModelError) {
    // Better now than after the first question.
    guard try model.tokenizer.chatTemplate != nil else {
      throw ModelError(model.path, "no chat template: this is no chat model")
    }
    (self.model, self.sampling, self.answerTokens) = (model, sampling, answerTokens)
    session = try Self.makeSession(model, sampling)
  }

  /// A session ends for good at an end of a turn or at its most tokens; this one never does, and `answer` looks for both.
  private static func makeSession(
    _ model: LanguageModel, _ sampling: SamplingOptions
  ) throws(ModelError) -> GenerationSession {
    var options = GenerationOptions(maximumTokens: .max, sampling: sampling)
    options.stopsAtEnd = false
    return try GenerationSession(model, options)
  }

  /// Forgets all turns.
  func reset() throws(ModelError) {
    messages = []
    session = try Self.makeSession(model, sampling)
  }

  /// Answers a question, and hands out the answer's text as it comes.
  ///
  /// - Parameter shouldGoOn: called before each token; false ends the answer, and what was said stays said. A question that is not read to
  ///   its end is forgotten.
  /// - Throws: ``ModelError`` where the conversation is too long for the model's context. The question is forgotten then.
  func answer(
    _ question: String, shouldGoOn: () -> Bool = { true }, text: (String) -> Void
  ) throws(ModelError) {
    let asked = messages + [ChatTemplate.Message(role: .user, content: question)]
    let prompt = try model.tokenizer.encode(chat: asked)
    // Where the template or the tokenizer writes an earlier answer in other tokens than the model did, it is read anew.
    if !prompt.starts(with: session.tokens) { session = try Self.makeSession(model, sampling) }
    let news = Array(prompt.dropFirst(session.tokens.count))
    guard try session.prefill(news, shouldGoOn: { _ in shouldGoOn() }) else { return }
    computedTokens = news.count

    var assembler = TextAssembler(model.tokenizer)
    var answer = ""
    for _ in 0..<answerTokens {
      guard shouldGoOn(), let token = try session.next() else { break }
      if model.tokenizer.end.contains(token) { break }
      let piece = assembler.append(token)
      answer += piece
      text(piece)
    }
    let rest = assembler.finish()
    text(rest)
    messages = asked + [ChatTemplate.Message(role: .assistant, content: answer + rest)]
  }
}
