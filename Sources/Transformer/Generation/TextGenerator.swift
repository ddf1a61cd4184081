import Foundation

/// Writes text with a model, for programs with tasks: nothing here blocks a thread of theirs.
///
///     let generator = TextGenerator(model)
///     for try await token in generator.stream("The capital of France is") { print(token.text, terminator: "") }
///
/// Each text is computed on a thread of its own. The passes of several texts of one generator take turns, since each uses all threads of the
/// model's pool; ``BatchGenerator`` computes many texts in the same passes, which is faster.
public struct TextGenerator: Sendable {
  /// Tokens that are computed ahead of a slow reader.
  static let bufferedTokens = 16

  /// The model.
  public let model: LanguageModel

  /// One pass at a time, first come, first served.
  private let passes = DispatchQueue(label: "TextGenerator")

  /// A generator of a model's text.
  public init(_ model: LanguageModel) { self.model = model }

  /// What a text begins with.
  enum Prompt: Sendable {
    case text(String)
    case chat([ChatTemplate.Message])
    case tokens([Int])
  }

  /// The tokens that go on with a text.
  ///
  /// - Throws: nothing here; what is wrong with prompt or options is thrown to the reader.
  public func stream(_ prompt: String, _ options: GenerationOptions = GenerationOptions()) -> TokenStream {
    TokenStream(generator: self, prompt: .text(prompt), options: options)
  }

  /// The tokens of the next turn in a conversation.
  public func stream(
    chat messages: [ChatTemplate.Message], _ options: GenerationOptions = GenerationOptions()
  ) -> TokenStream {
    TokenStream(generator: self, prompt: .chat(messages), options: options)
  }

  /// The tokens that go on with tokens.
  public func stream(tokens: [Int], _ options: GenerationOptions = GenerationOptions()) -> TokenStream {
    TokenStream(generator: self, prompt: .tokens(tokens), options: options)
  }

  /// The whole text that goes on with another one.
  ///
  /// - Throws: as reading ``stream(_:_:)``.
  public func text(after prompt: String, _ options: GenerationOptions = GenerationOptions()) async throws
    -> String
  {
    var text = ""
    for try await token in stream(prompt, options) { text += token.text }
    return text
  }

  /// Generates on a new thread.
  func start(_ prompt: Prompt, _ options: GenerationOptions, into channel: TokenChannel) {
    let thread = Thread {
      do throws(ModelError) {
        try generate(prompt, options, into: channel)
        channel.finish(.success(()))
      } catch {
        channel.finish(.failure(error))
      }
    }
    // The default of a secondary thread is too small for deep library calls on some systems.
    thread.stackSize = 4 << 20
    thread.name = "TextGenerator"
    thread.start()
  }

  private func generate(
    _ prompt: Prompt, _ options: GenerationOptions, into channel: TokenChannel
  ) throws(ModelError) {
    let tokens = try tokens(of: prompt)
    let wanted = tokens.count.addingReportingOverflow(max(0, options.maximumTokens))
    let context = model.decoder.context
    let session = try GenerationSession(
      model, options, capacity: max(1, wanted.overflow ? context : min(context, wanted.partialValue)))
    // Each chunk waits for its own turn, so that other texts get theirs between them.
    let isWhole = try session.prefill(
      tokens, scoring: false, shouldGoOn: { _ in !channel.isAbandoned },
      run: { (pass) throws(ModelError) in try turn(pass) })
    guard isWhole else { return }
    var assembler = TextAssembler(model.tokenizer, stops: options.stops)
    while !assembler.isStopped, !channel.isAbandoned,
      let token = try turn({ () throws(ModelError) in try session.next() })
    {
      let text = assembler.append(token, isLast: session.end != nil)
      if !channel.send(GeneratedToken(id: token, text: text)) { return }
    }
  }

  private func tokens(of prompt: Prompt) throws(ModelError) -> [Int] {
    switch prompt {
    case .text(let text): try model.tokens(of: text)
    case .chat(let messages): try model.tokenizer.encode(chat: messages)
    case .tokens(let tokens): tokens
    }
  }

  /// Runs a pass when it is its turn, on this thread.
  private func turn<Value>(_ pass: () throws(ModelError) -> Value) throws(ModelError) -> Value {
    let result = passes.sync { Result<Value, ModelError>(catching: pass) }
    return try result.get()
  }
}
