/// ChatML: `<|im_start|>role`, the content, `<|im_end|>`. SmolLM2 and Qwen.
struct ChatMLStyle: Sendable {
  typealias Message = ChatTemplate.Message

  /// What stands in for a system message where there is none.
  let defaultSystem: String?
  let writesBegin: Bool
  /// Qwen 3 leaves the thoughts of earlier turns out.
  let dropsThoughts: Bool
  /// The assistant's turn starts with a thought.
  let startsWithThought: Bool

  init?(_ source: TemplateSource) {
    guard source.holds("<|im_start|>'+message['role']+'\\n'+") else { return nil }
    // Phi 4, SmolLM 3 and others with the same marker.
    for stranger in ["<|im_sep|>", "strftime_now", "eos_token", "|trim", ".strip()", "[gMASK]"]
    where source.holds(stranger) {
      return nil
    }
    defaultSystem = Self.defaultSystem(source)
    writesBegin = source.holds("bos_token")
    dropsThoughts = source.holds("last_query_index")
    if source.holds("</think>"), !dropsThoughts { return nil }
    startsWithThought = source.holds("'<|im_start|>assistant\\n<think>\\n'")
  }

  /// The text between `<|im_start|>system` and `<|im_end|>` within one literal.
  private static func defaultSystem(_ source: TemplateSource) -> String? {
    let texts = source.texts(between: "<|im_start|>system\\n", and: "<|im_end|>")
    return texts.first { !$0.holds("'") && !$0.holds("{") }?.split(
      separator: "\\n", omittingEmptySubsequences: false
    )
    .joined(separator: "\n")
  }

  func write(
    _ messages: [Message], _ addsGenerationPrompt: Bool, begin: String, into text: inout ChatText
  ) {
    if writesBegin { text.mark(begin) }
    if let defaultSystem, messages.first?.role != .system {
      text.mark("<|im_start|>system\n\(defaultSystem)<|im_end|>\n")
    }
    let lastQuery = messages.lastIndex(where: Self.isQuery) ?? messages.count - 1
    for (index, message) in messages.enumerated() {
      text.mark("<|im_start|>\(message.role.rawValue)\n")
      if dropsThoughts, message.role == .assistant {
        writeThoughtful(message.content, isLast: index == messages.count - 1, isNew: index > lastQuery, &text)
      } else {
        text.say(message.content)
      }
      text.mark("<|im_end|>\n")
    }
    if addsGenerationPrompt { text.mark("<|im_start|>assistant\n" + (startsWithThought ? "<think>\n" : "")) }
  }

  private static func isQuery(_ message: Message) -> Bool {
    guard message.role == .user else { return false }
    let content = message.content.utf8
    return
      !(content.starts(with: "<tool_response>".utf8)
      && content.reversed().starts(with: "</tool_response>".utf8.reversed()))
  }

  /// An assistant's turn as Qwen 3 writes it: the thought apart from the answer, if it follows the last question.
  private func writeThoughtful(_ content: String, isLast: Bool, isNew: Bool, _ text: inout ChatText) {
    var thought = ""
    var answer = content
    let parts = Self.split(content, at: "</think>")
    if parts.count > 1, let first = parts.first, let last = parts.last {
      let opened = Self.split(first.withoutNewlines(atStart: false, atEnd: true), at: "<think>")
      thought = (opened.last ?? "").withoutNewlines(atStart: true, atEnd: true)
      answer = last.withoutNewlines(atStart: true, atEnd: false)
    }
    if isNew, isLast || !thought.isEmpty {
      text.mark("<think>\n")
      text.say(thought)
      text.mark("\n</think>\n\n")
      answer = answer.withoutNewlines(atStart: true, atEnd: false)
    }
    text.say(answer)
  }

  private static func split(_ text: String, at separator: String) -> [String] {
    var parts: [String] = []
    var start = text.startIndex
    while let range = text.firstRange(of: separator, from: start) {
      parts.append(String(text[start..<range.lowerBound]))
      start = range.upperBound
    }
    return parts + [String(text[start...])]
  }
}
