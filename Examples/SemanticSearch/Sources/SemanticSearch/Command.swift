import Foundation
import Transformer

/// `SemanticSearch FOLDER QUERY [--model PATH] [--count N]` prints the paragraphs of a folder's files that mean what a query asks for.
@main
struct Command {
  static let usage = "usage: SemanticSearch FOLDER QUERY [--model PATH] [--count N]"

  var folder = ""
  var query = ""
  var model = "Models/all-minilm-l6-v2"
  var count = 5

  static func main() {
    do {
      let command = try Command(CommandLine.arguments.dropFirst())
      let encoder = try SentenceEncoder(path: command.model, weights: .bfloat16)
      let paragraphs = try paragraphs(ofFolder: command.folder) { path, reason in
        say("\(path): skipped, \(reason)")
      }
      for match in try search(paragraphs, for: command.query, count: command.count, with: encoder) {
        print(match)
      }
    } catch {
      say("SemanticSearch: \(error)")
      exit(1)
    }
  }

  init(_ arguments: some Sequence<String>) throws(ModelError) {
    var rest = arguments.makeIterator()
    var texts: [String] = []
    while let argument = rest.next() {
      switch argument {
      case "--model":
        guard let value = rest.next() else { throw ModelError("--model", "no path given; \(Self.usage)") }
        model = value
      case "--count":
        guard let value = rest.next(), let number = Int(value), number > 0 else {
          throw ModelError("--count", "expected a number above 0; \(Self.usage)")
        }
        count = number
      case _ where argument.hasPrefix("--"):
        throw ModelError(argument, "no such option; \(Self.usage)")
      default: texts.append(argument)
      }
    }
    guard texts.count == 2 else {
      throw ModelError("arguments", "\(texts.count) given, expected a folder and a query; \(Self.usage)")
    }
    (folder, query) = (texts[0], texts[1])
  }

  private static func say(_ line: String) {
    FileHandle.standardError.write(Data((line + "\n").utf8))
  }
}
