import Transformer

/// What a request asks of the library.
extension CompletionRequest {
  /// How to generate behind a prompt of so many tokens.
  func options(promptTokens: Int, context: Int, defaultTokens: Int) throws(RequestError) -> GenerationOptions
  {
    let room = context - promptTokens
    let field = max_completion_tokens == nil ? "max_tokens" : "max_completion_tokens"
    let wanted = max_completion_tokens ?? max_tokens
    // A prompt without room is the service's to refuse.
    if let wanted, room >= 1, !(1...room).contains(wanted) {
      throw .invalid(
        field,
        "\(wanted) given, expected 1 to \(room): the context of \(context) less the prompt's \(promptTokens)"
      )
    }
    let sampling = SamplingOptions(
      // OpenAI's default is to draw from the model's own distribution, anew each time.
      temperature: temperature ?? 1, topP: top_p,
      seed: seed.map { UInt64(bitPattern: $0) } ?? .random(in: 0 ... .max))
    return GenerationOptions(
      maximumTokens: wanted ?? max(1, min(defaultTokens, room)), sampling: sampling, stops: stop?.texts ?? [])
  }

  /// The turns of a chat.
  func turns() throws(RequestError) -> [ChatTemplate.Message] {
    guard let messages else { throw .invalid("messages", "missing") }
    var turns: [ChatTemplate.Message] = []
    for (index, message) in messages.enumerated() {
      // What OpenAI calls developer today was called system.
      guard
        let role = ChatTemplate.Message.Role(rawValue: message.role == "developer" ? "system" : message.role)
      else {
        throw .invalid(
          "messages.\(index).role", "'\(message.role)' given, expected system, user or assistant")
      }
      turns.append(ChatTemplate.Message(role: role, content: message.content.text))
    }
    return turns
  }
}
