import Foundation
import Testing
import Transformer

@testable import CompletionsServer

struct CompletionTests {
  static let prompts = [
    "Once upon a time", "The little dog", "Lily and her mom", "One day", "There was a big red ball",
    "Tom said", "In the park",
    "The sun was",
  ]

  @Test func oneCompletion() async throws {
    let model = try Models.tiny.get()
    try await withServer(model) { client, _ in
      let reply = try await client.post(
        "/v1/completions", ["prompt": Self.prompts[0], "max_tokens": 20, "temperature": 0])
      #expect(reply.status == 200, "\(reply.text)")
      #expect(reply["choices", 0, "text"] as? String == (try Self.text(after: Self.prompts[0], 20)))
      #expect(reply["choices", 0, "finish_reason"] as? String == "length")
      #expect(reply["object"] as? String == "text_completion")
      #expect(reply["model"] as? String == "TinyLlama")
      let promptTokens = try model.tokens(of: Self.prompts[0]).count
      #expect(reply["usage", "prompt_tokens"] as? Int == promptTokens)
      #expect(reply["usage", "completion_tokens"] as? Int == 20)
      #expect(reply["usage", "total_tokens"] as? Int == promptTokens + 20)
    }
  }

  /// Eight at once, with prompts of different lengths that come at different times, are what one at a time gives.
  @Test(arguments: [512, 4]) func manyAtOnceAreAsOneAtATime(_ stepTokens: Int) async throws {
    try await withServer(Models.tiny.get(), stepTokens: stepTokens) { client, _ in
      let texts = try await withThrowingTaskGroup(of: (Int, String?).self) { group in
        for (index, prompt) in Self.prompts.enumerated() {
          group.addTask {
            try await Task.sleep(for: .milliseconds(3 * index))
            let reply = try await client.post(
              "/v1/completions", ["prompt": prompt, "max_tokens": 40, "temperature": 0])
            return (index, reply["choices", 0, "text"] as? String)
          }
        }
        return try await group.reduce(into: [Int: String]()) { $0[$1.0] = $1.1 }
      }
      for (index, prompt) in Self.prompts.enumerated() {
        #expect(texts[index] == (try Self.text(after: prompt, 40)), "after \(prompt)")
      }
    }
  }

  @Test func severalPromptsOfOneRequest() async throws {
    let model = try Models.tiny.get()
    try await withServer(model) { client, _ in
      let tokens = try Self.prompts.prefix(3).map { try model.tokens(of: $0) }
      let texts = Array(Self.prompts.prefix(3))
      for prompt in [tokens as any Sendable, texts as any Sendable] {
        let reply = try await client.post(
          "/v1/completions", ["prompt": prompt, "max_tokens": 8, "temperature": 0])
        for index in 0..<3 {
          #expect(reply["choices", index, "index"] as? Int == index)
          #expect(reply["choices", index, "text"] as? String == (try Self.text(after: texts[index], 8)))
        }
        #expect(reply["usage", "completion_tokens"] as? Int == 24)
      }
      let one = try await client.post(
        "/v1/completions", ["prompt": tokens[0], "max_tokens": 8, "temperature": 0])
      #expect(one["choices", 0, "text"] as? String == (try Self.text(after: texts[0], 8)))
    }
  }

  @Test func streamedPiecesMakeTheText() async throws {
    try await withServer(Models.tiny.get()) { client, _ in
      let reply = try await client.post(
        "/v1/completions",
        [
          "prompt": Self.prompts[1], "max_tokens": 30, "temperature": 0, "stream": true,
          "stream_options": ["include_usage": true],
        ])
      #expect(reply.status == 200)
      #expect(reply.headers["content-type"] == ["text/event-stream"])
      var events = reply.events
      #expect(events.popLast() == "[DONE]")
      let chunks = events.map { Client.Reply(text: $0) }
      let text = chunks.compactMap { $0["choices", 0, "text"] as? String }.joined()
      #expect(text == (try Self.text(after: Self.prompts[1], 30)))
      #expect(chunks.count > 10)
      #expect(chunks.compactMap { $0["choices", 0, "finish_reason"] as? String } == ["length"])
      #expect(chunks.last?["usage", "completion_tokens"] as? Int == 30)
    }
  }

  @Test func stopsAndSeeds() async throws {
    try await withServer(Models.tiny.get()) { client, _ in
      let whole = try Self.text(after: Self.prompts[0], 40)
      // Some word in the middle of it.
      let stop = try #require(whole.split(separator: " ").dropFirst(3).first.map { " " + $0 })
      let reply = try await client.post(
        "/v1/completions", ["prompt": Self.prompts[0], "max_tokens": 40, "temperature": 0, "stop": stop])
      #expect(reply["choices", 0, "finish_reason"] as? String == "stop")
      let expected = whole.range(of: stop).map { String(whole[..<$0.lowerBound]) }
      #expect(reply["choices", 0, "text"] as? String == expected)

      func drawn(_ seed: Int) async throws -> String? {
        let reply = try await client.post(
          "/v1/completions", ["prompt": Self.prompts[0], "max_tokens": 30, "top_p": 0.95, "seed": seed])
        return reply["choices", 0, "text"] as? String
      }
      let first = try await drawn(7)
      #expect(first != nil)
      #expect(try await drawn(7) == first)
      #expect(try await drawn(8) != first)
    }
  }

  /// Whole pages of 64 tokens, and never the last token, behind which logits are wanted.
  @Test(arguments: [(150, 128), (129, 128), (128, 64), (64, 0)])
  func prefixesAreReused(_ count: Int, _ reused: Int) async throws {
    let model = try Models.tiny.get()
    try await withServer(model) { client, _ in
      let prompt = try Array(model.tokens(of: String(repeating: "The dog ran. ", count: 40)).prefix(count))
      let body: [String: any Sendable] = ["prompt": prompt, "max_tokens": 4, "temperature": 0]
      let first = try await client.post("/v1/completions", body)
      let second = try await client.post("/v1/completions", body)
      #expect(first["usage", "prompt_tokens_details", "cached_tokens"] as? Int == 0)
      #expect(second["usage", "prompt_tokens_details", "cached_tokens"] as? Int == reused)
      #expect(first["choices", 0, "text"] as? String == second["choices", 0, "text"] as? String)
    }
  }

  @Test func chatOfSeveralTurns() async throws {
    let model = try Models.chat.get()
    try await withServer(model) { client, _ in
      let messages = [
        ["role": "system", "content": "Answer in one word."],
        ["role": "user", "content": "What is the capital of France?"],
      ]
      let body: [String: any Sendable] = ["messages": messages, "max_tokens": 12, "temperature": 0]
      let reply = try await client.post("/v1/chat/completions", body)
      let answer = try #require(reply["choices", 0, "message", "content"] as? String, "\(reply.text)")
      #expect(answer.contains("Paris"), "\(answer)")
      #expect(reply["choices", 0, "message", "role"] as? String == "assistant")
      #expect(reply["model"] as? String == "smollm2-135m-instruct")

      var streaming = body
      streaming["stream"] = true
      let events = try await client.post("/v1/chat/completions", streaming).events
      let chunks = events.dropLast().map { Client.Reply(text: $0) }
      #expect(chunks.first?["choices", 0, "delta", "role"] as? String == "assistant")
      #expect(chunks.compactMap { $0["choices", 0, "delta", "content"] as? String }.joined() == answer)
      #expect(events.last == "[DONE]")
    }
  }

  /// Another way to the text: one prompt alone, in a session.
  static func text(after prompt: String, _ count: Int) throws -> String {
    let model = try Models.tiny.get()
    let session = try GenerationSession(model, GenerationOptions(maximumTokens: count))
    try session.prefill(model.tokens(of: prompt))
    var tokens: [Int] = []
    while let token = try session.next() { tokens.append(token) }
    return model.tokenizer.decode(tokens, skippingSpecialTokens: true)
  }
}
