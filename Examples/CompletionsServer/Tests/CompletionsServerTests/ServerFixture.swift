import Foundation
import Transformer

@testable import CompletionsServer

/// Runs a server of a model on any free port while `body` speaks to it.
func withServer<Result: Sendable>(
  _ model: LanguageModel, poolTokens: Int = 8192, stepTokens: Int = 512, requestLimit: Int = 64,
  _ body: @Sendable (Client, BatchService) async throws -> Result
) async throws -> Result {
  let service = try BatchService(
    model, poolTokens: poolTokens, stepTokens: stepTokens, requestLimit: requestLimit)
  let server = Server(api: try CompletionsAPI(service))
  let (ports, continuation) = AsyncStream<Int>.makeStream()
  return try await withThrowingTaskGroup(of: Void.self) { group in
    group.addTask {
      defer { continuation.finish() }
      try await server.run(host: "127.0.0.1", port: 0) { continuation.yield($0) }
    }
    var port: Int?
    for await started in ports {
      port = started
      break
    }
    guard let port else {
      try await group.waitForAll()
      throw ModelError("server", "ended without a port")
    }
    let result = try await body(Client(port: port), service)
    group.cancelAll()
    try await group.waitForAll()
    service.stop()
    return result
  }
}

enum Models {
  private static let repository =
    URL(fileURLWithPath: #filePath).pathComponents.dropLast(5).joined(separator: "/")

  static let tiny = Result {
    try LanguageModel(path: repository + "/Sources/AttentionCommand/TinyLlama", weights: .float32)
  }
  /// `make models` brings it.
  static let chat = Result {
    try LanguageModel(
      path: repository + "/Models/smollm2-135m-instruct/model.gguf", weights: .bfloat16, context: 512)
  }
}
