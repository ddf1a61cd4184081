/// Zephyr: `<|user|>`, the content and the token that ends a text, each on a line of its own. TinyLlama, StableLM.
struct BarsStyle: Sendable {
  init?(_ source: TemplateSource) {
    guard source.holds("'<|user|>\\n'+message['content']+eos_token"), !source.holds("|trim"),
      !source.holds("bos_token")
    else { return nil }
  }

  func write(
    _ messages: [ChatTemplate.Message], _ addsGenerationPrompt: Bool, end: String, into text: inout ChatText
  ) {
    for message in messages {
      text.mark("<|\(message.role.rawValue)|>\n")
      text.say(message.content)
      text.mark("\(end)\n")
    }
    if addsGenerationPrompt { text.mark("<|assistant|>\n") }
  }
}
