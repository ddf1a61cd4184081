import TensorFiles

/// Turns a conversation into the one text that a chat model was trained to go on with.
///
/// Models bring their template as a program in the language Jinja. This type does not run it: it recognises the
/// families whose templates are known by their markers and writes what those templates write. Tools, images and
/// documents are not supported.
public struct ChatTemplate: Sendable {
  /// One turn of a conversation.
  public struct Message: Sendable, Equatable {
    /// Who speaks.
    public enum Role: String, Sendable {
      /// Instructions that stand above the conversation.
      case system
      /// The person.
      case user
      /// The model.
      case assistant
    }

    /// Who speaks.
    public let role: Role

    /// What is said.
    public let content: String

    /// A turn of `role`.
    public init(role: Role, content: String) {
      self.role = role
      self.content = content
    }
  }

  let family: ChatFamily
  let begin: String
  let end: String

  /// Recognises a model's template.
  ///
  /// - Parameters:
  ///   - jinja: the template's text: `tokenizer.chat_template` of a GGUF file, `chat_template` of tokenizer_config.json.
  ///   - begin: the text of the token that begins a text, which some templates write.
  ///   - end: the text of the token that ends a text.
  /// - Throws: ``ModelError`` where the template is of no family that is known; it names those that are.
  public init(jinja: String, begin: String?, end: String?) throws(ModelError) {
    guard let family = ChatFamily(jinja) else {
      throw ModelError(
        "chat template",
        "\(quoted(jinja)) is not known; known are ChatML (SmolLM2, Qwen 2, 2.5 and 3), Llama 3, Llama 2, Mistral, "
          + "Gemma 2 and 3, and Zephyr")
    }
    self.family = family
    self.begin = begin ?? ""
    self.end = end ?? ""
  }

  /// The text of a conversation, as the template writes it.
  ///
  /// What users wrote may contain the template's own markers: to encode the text, use
  /// ``Tokenizer/encode(chat:addingGenerationPrompt:)``, which tells the two apart.
  /// - Parameters:
  ///   - messages: who says what, the first message first.
  ///   - addingGenerationPrompt: ends with the start of the assistant's turn, for the model to go on with.
  /// - Throws: ``ModelError`` about `messages` where the template refuses their roles or order.
  public func prompt(_ messages: [Message], addingGenerationPrompt: Bool = true) throws(ModelError) -> String
  {
    try written(messages, addingGenerationPrompt).text
  }

  func written(_ messages: [Message], _ addsGenerationPrompt: Bool) throws(ModelError) -> ChatText {
    guard !messages.isEmpty else { throw ModelError("messages", "there are none") }
    var text = ChatText()
    switch family {
    case .chatML(let style): style.write(messages, addsGenerationPrompt, begin: begin, into: &text)
    case .llama3(let style): style.write(messages, addsGenerationPrompt, begin: begin, into: &text)
    case .instruct(let style): try style.write(messages, begin: begin, end: end, into: &text)
    case .gemma(let style): try style.write(messages, addsGenerationPrompt, begin: begin, into: &text)
    case .bars(let style): style.write(messages, addsGenerationPrompt, end: end, into: &text)
    }
    return text
  }
}

/// A prompt as it is written: its text, and which bytes of it people wrote.
struct ChatText {
  private(set) var text = ""
  /// Ascending ranges of UTF-8.
  private(set) var contents: [Range<Int>] = []

  /// Appends the template's own text, in which special tokens are meant.
  mutating func mark(_ marker: String) { text += marker }

  /// Appends what someone wrote.
  mutating func say(_ content: String) {
    let start = text.utf8.count
    text += content
    if text.utf8.count > start { contents.append(start..<text.utf8.count) }
  }
}

extension String {
  /// The text without white space at its ends, as Python's `strip` and Jinja's `trim` see it.
  func trimmed() -> String { trimmedStart().trimmedEnd() }

  func trimmedStart() -> String {
    String(String.UnicodeScalarView(unicodeScalars.drop(while: \.isPythonSpace)))
  }

  func trimmedEnd() -> String {
    var scalars = Substring.UnicodeScalarView(unicodeScalars[...])
    while let last = scalars.last, last.isPythonSpace { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars))
  }

  /// The text without line feeds at its start, its end.
  func withoutNewlines(atStart: Bool, atEnd: Bool) -> String {
    var scalars = Substring.UnicodeScalarView(unicodeScalars[...])
    while atStart, scalars.first == "\n" { scalars.removeFirst() }
    while atEnd, scalars.last == "\n" { scalars.removeLast() }
    return String(String.UnicodeScalarView(scalars))
  }

  /// Whether the bytes of `part` occur. `contains` compares whole characters, and finds no `|>` before a mark.
  func holds(_ part: String) -> Bool { firstRange(of: part) != nil }

  /// Where the bytes of `part` occur first, at or behind `start`.
  func firstRange(of part: String, from start: String.Index? = nil) -> Range<String.Index>? {
    let wanted = Array(part.utf8)
    guard let lead = wanted.first else { return nil }
    var index = start ?? utf8.startIndex
    while index < utf8.endIndex {
      if utf8[index] == lead, utf8[index...].starts(with: wanted) {
        return index..<utf8.index(index, offsetBy: wanted.count)
      }
      utf8.formIndex(after: &index)
    }
    return nil
  }
}

extension Unicode.Scalar {
  /// What Python's `str.isspace` calls a space: Unicode's white space and the four separators of ASCII.
  fileprivate var isPythonSpace: Bool { properties.isWhitespace || (0x1C...0x1F).contains(value) }
}
