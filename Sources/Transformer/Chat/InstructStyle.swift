/// `[INST] question [/INST] answer`: Llama 2 and Mistral. Questions and answers take turns.
struct InstructStyle: Sendable {
  typealias Message = ChatTemplate.Message

  /// Where a system message goes.
  enum System: Sendable {
    /// The template refuses one.
    case refused
    /// Between `<<SYS>>` and `<</SYS>>` in the first question (Llama 2).
    case tagged
    /// In front of the first question.
    case first
    /// In front of the last message, if that is a question.
    case last
  }

  let system: System
  let opening: String
  let closing: String
  /// In front of and behind an answer.
  let answerPrefix: String
  let answerSuffix: String
  let trimsQuestions: Bool
  let trimsAnswers: Bool
  let beginsEachQuestion: Bool

  init?(_ source: TemplateSource) {
    // Mistral's later templates have roles that these do not.
    if source.holds("[SYSTEM_PROMPT]") { return nil }
    if source.holds("<<SYS>>") {
      guard source.holds("bos_token+'[INST] '+content.strip()+' [/INST]'"),
        source.holds("' '+content.strip()+' '+eos_token"),
        source.holds("'<<SYS>>\\n'+system_message+'\\n<</SYS>>\\n\\n'+message['content']")
      else { return nil }
      (system, opening, closing) = (.tagged, "[INST] ", " [/INST]")
      (answerPrefix, answerSuffix, trimsQuestions, trimsAnswers) = (" ", " ", true, true)
      beginsEachQuestion = true
      return
    }
    let openings = [" [INST] ", "[INST] ", "[INST]"].filter { source.holds("'\($0)'+message['content']") }
    guard openings.count == 1, let opening = openings.first else { return nil }
    let closings = [" [/INST]", "[/INST]"].filter { source.holds("message['content']+'\($0)'") }
    guard closings.count == 1, let closing = closings.first else { return nil }
    (self.opening, self.closing) = (opening, closing)
    if source.holds("message['content']+eos_token+' '") { return nil }
    let spaced = source.holds("' '+message['content']+eos_token")
    let spacedTrimmed = source.holds("' '+message['content']|trim+eos_token")
    guard spaced || spacedTrimmed || source.holds("message['content']+eos_token") else { return nil }
    answerPrefix = spaced || spacedTrimmed ? " " : ""
    answerSuffix = ""
    trimsQuestions = false
    trimsAnswers = spacedTrimmed
    beginsEachQuestion = false
    if source.holds("loop.last and system_message is defined") {
      system = .last
    } else if source.holds("loop.first and system_message is defined") {
      system = .first
    } else {
      guard !source.holds("system_message"), !source.holds("'system'") else { return nil }
      system = .refused
    }
  }

  func write(
    _ messages: [Message], begin: String, end: String, into text: inout ChatText
  ) throws(ModelError) {
    var rest = messages[...]
    var instructions: String?
    if let first = rest.first, first.role == .system {
      if case .refused = system {
        throw ModelError("messages", "the chat template has no system role, but message 0 has it")
      }
      instructions = first.content
      rest.removeFirst()
    }
    if !beginsEachQuestion { text.mark(begin) }
    for (index, message) in rest.enumerated() {
      try checkTurn(message, index, index + messages.count - rest.count)
      switch message.role {
      case .user, .system:
        let isPlace: Bool
        switch system {
        case .refused: isPlace = false
        case .tagged, .first: isPlace = index == 0
        case .last: isPlace = index == rest.count - 1
        }
        question(message.content, isPlace ? instructions : nil, begin, &text)
      case .assistant:
        text.mark(answerPrefix)
        text.say(trimsAnswers ? message.content.trimmed() : message.content)
        text.mark(answerSuffix + end)
      }
    }
  }

  private func question(_ content: String, _ instructions: String?, _ begin: String, _ text: inout ChatText) {
    if beginsEachQuestion { text.mark(begin) }
    text.mark(opening)
    guard let instructions else {
      text.say(trimsQuestions ? content.trimmed() : content)
      return text.mark(closing)
    }
    if case .tagged = system {
      // Both are trimmed as one text: what is left of an empty question takes the line feeds with it.
      let question = content.trimmedEnd()
      text.mark("<<SYS>>\n")
      text.say(instructions)
      text.mark("\n<</SYS>>" + (question.isEmpty ? "" : "\n\n"))
      text.say(question)
    } else {
      text.say(instructions)
      text.mark("\n\n")
      text.say(content)
    }
    text.mark(closing)
  }
}

/// Throws unless questions stand at even places and answers at odd ones.
///
/// Some templates let a system message pass where an answer is due, and leave it out or write a turn that no model has
/// seen; here it is an error.
func checkTurn(_ message: ChatTemplate.Message, _ index: Int, _ place: Int) throws(ModelError) {
  let expected: ChatTemplate.Message.Role = index % 2 == 0 ? .user : .assistant
  guard message.role == expected else {
    throw ModelError(
      "messages",
      "message \(place) is the \(message.role.rawValue)'s, expected the \(expected.rawValue)'s: the chat template has them take turns"
    )
  }
}
