import Foundation
import NIOHTTP1
import Transformer

/// What the server answers to a request.
enum Answer: Sendable {
  /// One JSON text.
  case json(String)
  /// Texts that are sent one by one, as events.
  case events(@Sendable (_ send: (String) async throws -> Void) async throws -> Void)
}

/// OpenAI's completions and chat completions over a ``BatchService``. Knows nothing of connections.
struct CompletionsAPI: Sendable {
  let service: BatchService
  /// What clients call the model.
  let name: String
  private let hasChat: Bool
  private let started = Int(Date().timeIntervalSince1970)

  /// - Throws: ``ModelError`` where the model has a chat template that the library does not know.
  init(_ service: BatchService) throws(ModelError) {
    self.service = service
    let path = URL(fileURLWithPath: service.model.path)
    // Of a file in the folder of its model, the folder's name says more than `model.gguf` does.
    name =
      path.lastPathComponent == "model.gguf"
      ? path.deletingLastPathComponent().lastPathComponent : path.lastPathComponent
    hasChat = try service.model.tokenizer.chatTemplate != nil
  }

  /// Answers a request.
  ///
  /// - Throws: ``RequestError``, `CancellationError`.
  func answer(_ method: HTTPMethod, _ path: String, _ body: Data) async throws -> Answer {
    var routes: [String: (HTTPMethod, () async throws -> Answer)] = [
      "/health": (.GET, { .json(text(of: ["status": "ok"])) }),
      "/v1/models": (.GET, { .json(models()) }),
      "/v1/completions": (.POST, { try await completions(CompletionRequest(json: body)) }),
    ]
    if hasChat {
      routes["/v1/chat/completions"] = (.POST, { try await chat(CompletionRequest(json: body)) })
    }
    guard let (allowed, handle) = routes[path] else {
      throw RequestError(status: .notFound, message: "there is no \(path) here")
    }
    guard method == allowed else {
      throw RequestError(
        status: .methodNotAllowed, message: "\(path) takes \(allowed) only", allowed: allowed)
    }
    return try await handle()
  }

  private func models() -> String {
    text(of: [
      "object": "list",
      "data": [
        ["id": name, "object": "model", "created": started, "owned_by": "local"] as JSONObject
      ],
    ])
  }

  private func completions(_ request: CompletionRequest) async throws -> Answer {
    guard let prompt = request.prompt else { throw RequestError.invalid("prompt", "missing") }
    let prompts: [[Int]]
    do {
      switch prompt {
      case .texts(let texts):
        prompts = try texts.map { text throws(ModelError) in try service.model.tokens(of: text) }
      case .tokens(let tokens): prompts = tokens
      }
    } catch {
      throw RequestError.refused(error)
    }
    // OpenAI's default.
    return try await answer(request, prompts, defaultTokens: 16, CompletionForm(isChat: false, model: name))
  }

  private func chat(_ request: CompletionRequest) async throws -> Answer {
    let turns = try request.turns()
    let prompt: [Int]
    do {
      prompt = try service.model.tokenizer.encode(chat: turns)
    } catch {
      throw RequestError.refused(error)
    }
    return try await answer(request, [prompt], defaultTokens: 512, CompletionForm(isChat: true, model: name))
  }

  private func answer(
    _ request: CompletionRequest, _ prompts: [[Int]], defaultTokens: Int, _ form: CompletionForm
  ) async throws -> Answer {
    if let model = request.model, model != name {
      throw RequestError(
        status: .notFound, message: "model: '\(model)' given, there is '\(name)' only", field: "model",
        code: "model_not_found")
    }
    guard !prompts.isEmpty else { throw RequestError.invalid("prompt", "empty, expected at least one") }
    var streams: [BatchService.Stream] = []
    for prompt in prompts {
      let options = try request.options(
        promptTokens: prompt.count, context: service.model.decoder.context, defaultTokens: defaultTokens)
      do {
        guard let stream = try service.stream(prompt, options) else {
          // The streams of other prompts go with this error, and with them their requests.
          throw RequestError(
            status: .serviceUnavailable, message: "too many requests are under way, try again later")
        }
        streams.append(stream)
      } catch let error as ModelError {
        throw RequestError.refused(error)
      }
    }
    let promptTokens = prompts.reduce(0) { $0 + $1.count }
    let events = merged(streams)
    if request.stream == true {
      let sendsUsage = request.stream_options?.include_usage == true
      return .events { send in
        do {
          try await form.send(events, promptTokens: promptTokens, withUsage: sendsUsage, send)
        } catch let error as ModelError {
          // The status is sent already.
          try await send(
            text(of: RequestError(status: .internalServerError, message: error.description).json))
        }
      }
    }
    do {
      return .json(try await form.whole(events, count: streams.count, promptTokens: promptTokens))
    } catch let error as ModelError {
      throw RequestError(status: .internalServerError, message: error.description)
    }
  }
}

/// Events of several streams as they come, with the index of each one's stream. Who stops reading ends all.
private func merged(
  _ streams: [BatchService.Stream]
) -> AsyncThrowingStream<(index: Int, event: BatchService.Event), any Error> {
  AsyncThrowingStream { continuation in
    let task = Task {
      do {
        try await withThrowingTaskGroup(of: Void.self) { group in
          for (index, stream) in streams.enumerated() {
            group.addTask {
              for try await event in stream { continuation.yield((index, event)) }
            }
          }
          try await group.waitForAll()
        }
        continuation.finish()
      } catch {
        continuation.finish(throwing: error)
      }
    }
    continuation.onTermination = { _ in task.cancel() }
  }
}
