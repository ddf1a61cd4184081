/// Gemma: `<start_of_turn>user`, the content, `<end_of_turn>`; the assistant is called `model`, and there is no
/// system role: Gemma 2 refuses a system message, Gemma 3 puts it in front of the first question.
struct GemmaStyle: Sendable {
  let refusesSystem: Bool
  let writesBegin: Bool

  init?(_ source: TemplateSource) {
    refusesSystem = source.holds("System role not supported")
    guard refusesSystem || source.holds("(first_user_prefix if loop.first else '')"),
      source.holds("'<start_of_turn>'+role+'\\n'+"), source.holds("message['content']|trim"),
      source.holds("must alternate")
    else { return nil }
    writesBegin = source.holds("bos_token")
  }

  func write(
    _ messages: [ChatTemplate.Message], _ addsGenerationPrompt: Bool, begin: String, into text: inout ChatText
  ) throws(ModelError) {
    var rest = messages[...]
    var instructions: String?
    if let first = rest.first, first.role == .system {
      if refusesSystem {
        throw ModelError("messages", "the chat template has no system role, but message 0 has it")
      }
      instructions = first.content
      rest.removeFirst()
    }
    if writesBegin { text.mark(begin) }
    for (index, message) in rest.enumerated() {
      try checkTurn(message, index, index + messages.count - rest.count)
      text.mark("<start_of_turn>\(message.role == .assistant ? "model" : "user")\n")
      if index == 0, let instructions {
        text.say(instructions)
        text.mark("\n\n")
      }
      text.say(message.content.trimmed())
      text.mark("<end_of_turn>\n")
    }
    if addsGenerationPrompt { text.mark("<start_of_turn>model\n") }
  }
}
