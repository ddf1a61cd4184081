extension Tokenizer {
  /// The chat template that the tokenizer's files bring; nil where they bring none.
  ///
  /// - Throws: ``ModelError`` where the template is of no family that ``ChatTemplate`` knows.
  public var chatTemplate: ChatTemplate? {
    get throws(ModelError) {
      guard let templateSource else { return nil }
      return try ChatTemplate(jinja: templateSource, begin: text(of: begin), end: text(of: endOfText))
    }
  }

  /// The tokens of a conversation, written with the tokenizer's own chat template.
  ///
  /// The template's markers become special tokens; what a message says never does, so that nobody can end their turn
  /// and speak as someone else by writing `<|im_end|>`. Apart from that the tokens are those of the whole text.
  /// - Parameters:
  ///   - messages: who says what, the first message first.
  ///   - addingGenerationPrompt: ends with the start of the assistant's turn, for the model to go on with.
  /// - Throws: ``ModelError`` where the tokenizer has no chat template or an unknown one, or `messages` do not fit it.
  public func encode(
    chat messages: [ChatTemplate.Message], addingGenerationPrompt: Bool = true
  ) throws(ModelError) -> [Int] {
    guard let template = try chatTemplate else {
      throw ModelError("chat template", "the tokenizer's files have none: this is no chat model")
    }
    return try encode(chat: messages, template: template, addingGenerationPrompt: addingGenerationPrompt)
  }

  /// The tokens of a conversation, written with `template`.
  ///
  /// - Throws: ``ModelError`` where `messages` do not fit the template.
  public func encode(
    chat messages: [ChatTemplate.Message], template: ChatTemplate, addingGenerationPrompt: Bool = true
  ) throws(ModelError) -> [Int] {
    let text = try template.written(messages, addingGenerationPrompt)
    return encode(
      Array(text.text.utf8), addingSpecialTokens: false, specials: true, outside: text.contents)
  }

  private func text(of token: Int?) -> String? {
    token.map { String(decoding: bytes(of: $0), as: UTF8.self) }
  }
}
