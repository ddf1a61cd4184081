import Foundation
import NIOHTTP1
import Testing
import Transformer

@testable import CompletionsServer

struct LimitTests {
  @Test func modelsAndHealth() async throws {
    try await withServer(Models.tiny.get()) { client, _ in
      #expect(try await client.get("/health").status == 200)
      let models = try await client.get("/v1/models?limit=1")
      #expect(models["data", 0, "id"] as? String == "TinyLlama")
    }
  }

  @Test func aConnectionTakesSeveralRequests() async throws {
    try await withServer(Models.tiny.get()) { client, _ in
      let first = "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"
      let last = "GET /v1/models HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
      let replies = try await client.raw(first + last)
      #expect(replies.components(separatedBy: "HTTP/1.1 200 OK").count == 3, "\(replies)")

      // Whoever does not know chunks is told the end by the connection's.
      let body = #"{"prompt": "a", "max_tokens": 3, "stream": true}"#
      let old =
        "POST /v1/completions HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      let reply = try await client.raw(old)
      #expect(reply.hasSuffix("data: [DONE]\n\n"), "\(reply)")
    }
  }

  /// Each wrong request, the status, and what the error says.
  @Test func wrongRequests() async throws {
    let wrong: [(String, Int, String)] = [
      ("", 400, "the body is no JSON"),
      ("{", 400, "the body is no JSON"),
      ("[]", 400, "expected"),
      (#"{"max_tokens": 3}"#, 400, "prompt: missing"),
      (#"{"prompt": 3}"#, 400, "prompt: expected a text"),
      (#"{"prompt": []}"#, 400, "prompt: empty"),
      (#"{"prompt": [5000]}"#, 400, "token 5000 given, expected 0..<1024"),
      (#"{"prompt": [-1]}"#, 400, "token -1 given"),
      (#"{"prompt": "a", "max_tokens": 0}"#, 400, "max_tokens: 0 given"),
      (#"{"prompt": "a", "max_tokens": 99999999999999999999}"#, 400, "out of range"),
      (#"{"prompt": "a", "max_tokens": 1000000}"#, 400, "max_tokens: 1000000 given"),
      (
        #"{"prompt": [\#(Array(repeating: "1", count: 3000).joined(separator: ","))], "max_tokens": 5}"#, 400,
        "prompt: 3000 tokens given"
      ),
      (#"{"prompt": "a", "max_tokens": "many"}"#, 400, "max_tokens: expected an integer"),
      (#"{"prompt": "a", "temperature": -1}"#, 400, "temperature"),
      (#"{"prompt": "a", "temperature": 1e999}"#, 400, "out of range"),
      (#"{"prompt": "a", "top_p": 0}"#, 400, "topP: 0.0 given"),
      (#"{"prompt": "a", "stop": [""]}"#, 400, "stops: an empty text"),
      (#"{"prompt": "a", "stop": ["1","2","3","4","5"]}"#, 400, "stop: expected a text"),
      (#"{"prompt": "a", "stream": "yes"}"#, 400, "stream: expected true or false"),
      (#"{"prompt": "a", "n": 2}"#, 400, "n: not supported"),
      (#"{"prompt": "a", "echo": true}"#, 400, "echo: not supported"),
      (#"{"prompt": "a", "model": "other"}"#, 404, "there is 'TinyLlama' only"),
      (String(repeating: "[", count: 200_000), 400, ""),
    ]
    try await withServer(Models.tiny.get()) { client, _ in
      for (body, status, message) in wrong {
        let reply = try await client.send(.POST, "/v1/completions", Data(body.utf8))
        #expect(reply.status == status, "\(body.prefix(80)): \(reply.text)")
        let said = reply["error", "message"] as? String
        #expect(said?.contains(message) == true || message.isEmpty, "\(body.prefix(80)): \(reply.text)")
        #expect(reply["error", "type"] as? String == "invalid_request_error")
      }
      #expect(try await client.get("/health").status == 200)
    }
  }

  @Test func wrongPathsAndMethods() async throws {
    try await withServer(Models.tiny.get()) { client, _ in
      #expect(try await client.get("/v2").status == 404)
      // The tiny model has no chat template.
      #expect(try await client.post("/v1/chat/completions", [:]).status == 404)
      let reply = try await client.get("/v1/completions")
      #expect(reply.status == 405)
      #expect(reply.headers["allow"] == ["POST"])
      #expect(try await client.send(.HEAD, "/health", nil).status == 405)
    }
  }

  @Test func wrongChats() async throws {
    try await withServer(Models.chat.get()) { client, _ in
      let wrong: [(any Sendable, String)] = [
        ([] as [String], "messages: there are none"),
        ([["role": "cat", "content": "meow"]], "messages.0.role: 'cat' given"),
        ([["role": "user"]], "messages.0.content: missing"),
        ([["role": "user", "content": 3]] as [[String: any Sendable]], "messages: expected the content"),
        ([["role": "user", "content": String(repeating: "long ", count: 600)]], "expected"),
      ]
      for (messages, message) in wrong {
        let reply = try await client.post("/v1/chat/completions", ["messages": messages])
        #expect(reply.status == 400, "\(message): \(reply.text)")
        #expect((reply["error", "message"] as? String)?.contains(message) == true, "\(reply.text)")
      }
    }
  }

  @Test func bodiesAndHeadersThatAreTooLarge() async throws {
    try await withServer(Models.tiny.get()) { client, _ in
      let body = Data(repeating: 0x20, count: Server.bodyLimit + 1)
      let reply = try await client.send(.POST, "/v1/completions", body)
      #expect(reply.status == 413)
      #expect(reply.headers["connection"] == ["close"])
      let endless = "GET /health HTTP/1.1\r\nHost: a\r\nX: " + String(repeating: "x", count: 20_000)
      #expect(try await client.raw(endless).hasPrefix("HTTP/1.1 400"))
      let many = "GET /health HTTP/1.1\r\n" + String(repeating: "A: b\r\n", count: 100) + "\r\n"
      #expect(try await client.raw(many).hasPrefix("HTTP/1.1 400"))
      #expect(try await client.raw("nonsense\r\n\r\n").hasPrefix("HTTP/1.1 400"))
      #expect(try await client.get("/health").status == 200)
    }
  }

  /// More requests than the limit: the first go on, the others are told to come back.
  @Test func requestsBeyondTheLimit() async throws {
    try await withServer(Models.tiny.get(), requestLimit: 2) { client, service in
      let body: [String: any Sendable] = ["prompt": ["a", "b", "c"], "max_tokens": 300]
      let reply = try await client.post("/v1/completions", body)
      #expect(reply.status == 503)
      #expect(reply["error", "type"] as? String == "server_error")
      try await expectIdle(service)
      #expect(try await client.post("/v1/completions", ["prompt": "a", "max_tokens": 4]).status == 200)
    }
  }

  /// A request that waits for room in the pool is answered once there is some.
  @Test func requestsThatWaitForThePool() async throws {
    try await withServer(Models.tiny.get(), poolTokens: 128) { client, _ in
      let body: [String: any Sendable] = [
        "prompt": CompletionTests.prompts, "max_tokens": 80, "temperature": 0,
      ]
      let reply = try await client.post("/v1/completions", body)
      for (index, prompt) in CompletionTests.prompts.enumerated() {
        #expect(
          reply["choices", index, "text"] as? String == (try CompletionTests.text(after: prompt, 80)),
          "\(prompt)")
      }
      let large = try await client.post("/v1/completions", ["prompt": "a", "max_tokens": 200])
      #expect(large.status == 400, "\(large.text)")
    }
  }

  /// A client that goes ends its request, whether it reads a stream or waits for the whole answer.
  @Test(arguments: [true, false]) func aCutConnectionEndsItsRequest(_ streams: Bool) async throws {
    let model = try Models.chat.get()
    try await withServer(model) { client, service in
      let body =
        #"{"prompt": "Count: one, two,", "max_tokens": 490, "temperature": 1, "stream": \#(streams)}"#
      let request =
        "POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: \(body.utf8.count)\r\n\r\n\(body)"
      if streams {
        let begin = try await client.raw(request, readingUpTo: 400)
        #expect(begin.contains("data: "))
      } else {
        let task = Task { try await client.raw(request) }
        while service.requestCount == 0 { try await Task.sleep(for: .milliseconds(1)) }
        task.cancel()
        _ = await task.result
      }
      try await expectIdle(service)
    }
  }

  @Test func stoppingEndsWhatIsUnderWay() async throws {
    let model = try Models.chat.get()
    let request = try await withServer(model) { client, service in
      let request = Task { try await client.post("/v1/completions", ["prompt": "One", "max_tokens": 490]) }
      while service.requestCount == 0 { try await Task.sleep(for: .milliseconds(1)) }
      return request
    }
    // `withServer` came back, so the server ended; the client got no answer.
    let status = (try? await request.value.status) ?? 0
    #expect(status == 0)
  }

  /// Waits until no request is under way; 490 tokens would take longer.
  private func expectIdle(_ service: BatchService) async throws {
    let start = ContinuousClock.now
    while service.requestCount > 0, ContinuousClock.now - start < .seconds(2) {
      try await Task.sleep(for: .milliseconds(5))
    }
    #expect(service.requestCount == 0)
  }
}
