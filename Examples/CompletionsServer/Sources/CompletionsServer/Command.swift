import Foundation
import Transformer

/// `CompletionsServer [--model PATH] [--host ADDRESS] [--port N] [--pool-tokens N]` serves a model over HTTP until SIGINT or SIGTERM.
@main
struct Command {
  static let usage =
    "usage: CompletionsServer [--model PATH] [--host ADDRESS] [--port N, 0 for any] [--pool-tokens N]"

  var model = "Models/smollm2-135m-instruct/model.gguf"
  var host = "127.0.0.1"
  var port = 8080
  var poolTokens = 32_768

  static func main() async {
    do {
      let command = try Command(CommandLine.arguments.dropFirst())
      let model = try LanguageModel(path: command.model, weights: .bfloat16)
      let service = try BatchService(model, poolTokens: command.poolTokens)
      let server = Server(api: try CompletionsAPI(service))
      let running = Task {
        try await server.run(host: command.host, port: command.port) { port in
          print("http://\(command.host):\(port)")
          fflush(nil)  // Whoever started this with port 0 waits for the line, perhaps at a pipe.
        }
      }
      let signals = [SIGINT, SIGTERM].map { number in
        signal(number, SIG_IGN)
        let source = DispatchSource.makeSignalSource(signal: number)
        source.setEventHandler { running.cancel() }
        source.resume()
        return source
      }
      try await running.value
      withExtendedLifetime(signals) { service.stop() }
    } catch {
      FileHandle.standardError.write(Data("CompletionsServer: \(error)\n".utf8))
      exit(1)
    }
  }

  init(_ arguments: some Sequence<String>) throws(ModelError) {
    var rest = arguments.makeIterator()
    while let argument = rest.next() {
      guard let value = rest.next() else { throw ModelError(argument, "no value given; \(Self.usage)") }
      switch argument {
      case "--model": model = value
      case "--host": host = value
      case "--port": port = try Self.number(argument, value, in: 0...65_535)
      case "--pool-tokens": poolTokens = try Self.number(argument, value, in: 1...1 << 30)
      default: throw ModelError(argument, "no such option; \(Self.usage)")
      }
    }
  }

  private static func number(_ name: String, _ text: String, in range: ClosedRange<Int>) throws(ModelError)
    -> Int
  {
    guard let number = Int(text), range.contains(number) else {
      throw ModelError(name, "'\(text)' given, expected \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }
}
