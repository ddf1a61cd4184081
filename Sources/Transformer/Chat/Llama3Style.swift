/// Llama 3: `<|start_header_id|>role<|end_header_id|>`, the content, `<|eot_id|>`.
struct Llama3Style: Sendable {
  /// Llama 3.1 and 3.2 start with what the model knows and which day it is. The day is the one that the template
  /// falls back to, so that the same conversation has the same prompt every day.
  let date: String?
  let trims: Bool
  let alwaysAddsGenerationPrompt: Bool

  init?(_ source: TemplateSource) {
    guard source.holds("'<|start_header_id|>'+message['role']+'<|end_header_id|>\\n\\n'+message['content']")
    else { return nil }
    trims = source.holds("message['content']|trim")
    alwaysAddsGenerationPrompt = !source.holds("add_generation_prompt")
    if source.holds("Cutting Knowledge Date: December 2023\\n") {
      guard let date = source.texts(between: "date_string = '", and: "'").first else { return nil }
      self.date = date
    } else {
      date = nil
    }
  }

  func write(
    _ messages: [ChatTemplate.Message], _ addsGenerationPrompt: Bool, begin: String, into text: inout ChatText
  ) {
    text.mark(begin)
    var rest = messages[...]
    if let date {
      header("system", into: &text)
      text.mark("Cutting Knowledge Date: December 2023\nToday Date: \(date)\n\n")
      if let first = rest.first, first.role == .system {
        text.say(trims ? first.content.trimmed() : first.content)
        rest.removeFirst()
      }
      text.mark("<|eot_id|>")
    }
    for message in rest {
      header(message.role.rawValue, into: &text)
      text.say(trims ? message.content.trimmed() : message.content)
      text.mark("<|eot_id|>")
    }
    if addsGenerationPrompt || alwaysAddsGenerationPrompt { header("assistant", into: &text) }
  }

  private func header(_ role: String, into text: inout ChatText) {
    text.mark("<|start_header_id|>\(role)<|end_header_id|>\n\n")
  }
}
