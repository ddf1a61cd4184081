import Foundation
import Transformer

/// The form in which OpenAI's clients expect an answer.
struct CompletionForm: Sendable {
  typealias Events = AsyncThrowingStream<(index: Int, event: BatchService.Event), any Error>

  let isChat: Bool
  let model: String
  private let id = UUID().uuidString.lowercased()
  private let created = Int(Date().timeIntervalSince1970)

  init(isChat: Bool, model: String) { (self.isChat, self.model) = (isChat, model) }

  /// What has come so far.
  private struct Totals {
    var generated = 0
    var reused = 0

    /// Counts an event.
    mutating func count(_ event: BatchService.Event) {
      switch event {
      case .token: generated += 1
      case .end(_, let reusedTokens): reused += reusedTokens
      }
    }

    func usage(promptTokens: Int) -> JSONObject {
      [
        "prompt_tokens": promptTokens, "completion_tokens": generated,
        "total_tokens": promptTokens + generated,
        "prompt_tokens_details": ["cached_tokens": reused],
      ]
    }
  }

  /// One text with all that came.
  func whole(_ events: Events, count: Int, promptTokens: Int) async throws -> String {
    var texts = [String](repeating: "", count: count)
    var reasons = [String?](repeating: nil, count: count)
    var totals = Totals()
    for try await (index, event) in events {
      totals.count(event)
      switch event {
      case .token(let token): texts[index] += token.text
      case .end(let end, _): reasons[index] = reason(end)
      }
    }
    // A stream whose reader is cancelled just ends.
    try Task.checkCancellation()
    let choices = zip(texts, reasons).enumerated().map { index, choice in
      let (text, reason) = choice
      return self.choice(
        index, isChat ? ("message", ["role": "assistant", "content": text]) : ("text", text), reason)
    }
    return object(
      isChat ? "chat.completion" : "text_completion", choices, totals.usage(promptTokens: promptTokens))
  }

  /// A text for each piece that comes, and `[DONE]`.
  func send(
    _ events: Events, promptTokens: Int, withUsage: Bool, _ send: (String) async throws -> Void
  ) async throws {
    let name = isChat ? "chat.completion.chunk" : "text_completion"
    func chunk(_ index: Int, _ text: String, _ reason: String?, role: Bool = false) -> String {
      var delta: [String: String] = role ? ["role": "assistant"] : [:]
      if !role, reason == nil { delta["content"] = text }
      return object(name, [choice(index, isChat ? ("delta", delta) : ("text", text), reason)], nil)
    }
    var totals = Totals()
    if isChat { try await send(chunk(0, "", nil, role: true)) }
    for try await (index, event) in events {
      totals.count(event)
      switch event {
      // Nothing may be shown yet: half a character, or perhaps the start of a stop text.
      case .token(let token) where token.text.isEmpty: break
      case .token(let token): try await send(chunk(index, token.text, nil))
      case .end(let end, _): try await send(chunk(index, "", reason(end)))
      }
    }
    try Task.checkCancellation()
    if withUsage { try await send(object(name, [], totals.usage(promptTokens: promptTokens))) }
    try await send("[DONE]")
  }

  private func reason(_ end: GenerationEnd) -> String {
    switch end {
    case .token, .stop: "stop"
    case .maximum, .capacity: "length"
    }
  }

  private func choice(_ index: Int, _ content: (key: String, value: Any), _ reason: String?) -> JSONObject {
    ["index": index, content.key: content.value, "logprobs": NSNull(), "finish_reason": orNull(reason)]
  }

  private func object(_ name: String, _ choices: [JSONObject], _ usage: JSONObject?) -> String {
    var object: JSONObject = [
      "id": (isChat ? "chatcmpl-" : "cmpl-") + id, "object": name, "created": created, "model": model,
      "choices": choices,
    ]
    if let usage { object["usage"] = usage }
    return text(of: object)
  }
}
