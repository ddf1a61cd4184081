import Foundation
import Testing
import Transformer

@testable import Chat

@Suite(.serialized) struct ConversationTests {
  private let questions = ["What is the capital of France?", "And of Italy?", "Name a river there."]

  /// Each answer is the one that a model gives that reads the whole conversation anew, but only new tokens are computed.
  @Test func answersAreThoseOfTheWholeConversation() throws {
    let model = try Self.model.get()
    let conversation = try Conversation(model, answerTokens: 24)
    var messages: [ChatTemplate.Message] = []
    for question in questions {
      messages.append(.init(role: .user, content: question))
      var answer = ""
      try conversation.answer(question) { answer += $0 }
      let expected = try Self.wholeAnswer(messages, model, tokens: 24)
      #expect(answer == expected, "to \(question)")
      #expect(!answer.isEmpty)
      messages.append(.init(role: .assistant, content: answer))
      let all = try model.tokenizer.encode(chat: messages).count
      if messages.count > 2 {
        #expect(conversation.computedTokens < all / 2, "of \(all) tokens, to \(question)")
      }
    }
  }

  @Test func resetForgets() throws {
    let conversation = try Conversation(Self.model.get(), answerTokens: 16)
    var answers: [String] = []
    for question in [questions[0], questions[1]] {
      var answer = ""
      try conversation.answer(question) { answer += $0 }
      answers.append(answer)
    }
    try conversation.reset()
    var again = ""
    try conversation.answer(questions[0]) { again += $0 }
    #expect(again == answers[0])
  }

  @Test func anAnswerCanBeStopped() throws {
    let model = try Self.model.get()
    let conversation = try Conversation(model, answerTokens: 100)
    var pieces: [String] = []
    try conversation.answer("Count to one hundred.", shouldGoOn: { pieces.count < 5 }) { pieces.append($0) }
    // The last piece is what waited.
    #expect(pieces.count == 6)
    var answer = ""
    try conversation.answer(questions[0]) { answer += $0 }
    let messages: [ChatTemplate.Message] = [
      .init(role: .user, content: "Count to one hundred."),
      .init(role: .assistant, content: pieces.joined()), .init(role: .user, content: questions[0]),
    ]
    #expect(answer == (try Self.wholeAnswer(messages, model, tokens: 100)))
  }

  /// The model has read a part of a question then, which the next one must not follow.
  @Test func aQuestionThatIsStoppedIsForgotten() throws {
    let model = try Self.model.get()
    let conversation = try Conversation(model, answerTokens: 16)
    var calls = 0
    try conversation.answer(
      String(repeating: "long ", count: 700),
      shouldGoOn: {
        calls += 1
        return calls < 2
      },
      text: { Issue.record("\($0) after a question that was stopped") })
    #expect(calls == 2)
    var answer = ""
    try conversation.answer(questions[0]) { answer += $0 }
    let expected = try Self.wholeAnswer([.init(role: .user, content: questions[0])], model, tokens: 16)
    #expect(answer == expected)
  }

  @Test func aQuestionThatIsTooLongIsForgotten() throws {
    let conversation = try Conversation(Self.short.get(), answerTokens: 8)
    let error = #expect(throws: ModelError.self) {
      try conversation.answer(String(repeating: "long ", count: 300)) { _ in }
    }
    #expect(error?.subject == "prompt")
    var answer = ""
    try conversation.answer("Hi") { answer += $0 }
    #expect(!answer.isEmpty)
  }

  @Test func refusesModelsWithoutTemplate() throws {
    let path = Self.repository + "/Sources/AttentionCommand/TinyLlama"
    let error = #expect(throws: ModelError.self) {
      try Conversation(LanguageModel(path: path, weights: .float32))
    }
    #expect(error?.description == "\(path): no chat template: this is no chat model")
  }

  /// Another way to the answer: a new session that reads everything.
  private static func wholeAnswer(
    _ messages: [ChatTemplate.Message], _ model: LanguageModel, tokens: Int
  ) throws -> String {
    let session = try GenerationSession(model, GenerationOptions(maximumTokens: tokens))
    try session.prefill(model.tokenizer.encode(chat: messages))
    var answer: [Int] = []
    while let token = try session.next() { answer.append(token) }
    return model.tokenizer.decode(answer.filter { !model.tokenizer.end.contains($0) })
  }

  private static let repository =
    URL(fileURLWithPath: #filePath).pathComponents.dropLast(5).joined(separator: "/")
  /// `make models` brings it.
  private static let path = repository + "/Models/smollm2-135m-instruct/model.gguf"
  private static let model = Result { try LanguageModel(path: path, weights: .float32, context: 1024) }
  private static let short = Result { try LanguageModel(path: path, weights: .bfloat16, context: 128) }
}
