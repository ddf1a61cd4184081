import Foundation

/// The body of a request for completions or for the next turn of a chat, in OpenAI's form. What this server has no notion of is ignored,
/// but what would change the answer is refused.
struct CompletionRequest: Decodable {
  /// One text or several, or their tokens.
  enum Prompt: Decodable {
    case texts([String])
    case tokens([[Int]])

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        self = .texts([text])
      } else if let texts = try? value.decode([String].self) {
        self = .texts(texts)
      } else if let tokens = try? value.decode([Int].self) {
        self = .tokens([tokens])
      } else if let tokens = try? value.decode([[Int]].self) {
        self = .tokens(tokens)
      } else {
        throw RequestError.invalid("prompt", "expected a text, a list of texts, or lists of tokens")
      }
    }
  }

  /// A text, or a list of `{"type": "text", "text": …}`.
  struct Content: Decodable {
    struct Part: Decodable {
      let type: String
      let text: String?
    }
    let text: String

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        self.text = text
      } else if let parts = try? value.decode([Part].self), parts.allSatisfy({ $0.type == "text" }) {
        text = parts.compactMap(\.text).joined()
      } else {
        throw RequestError.invalid("messages", "expected the content of each to be text")
      }
    }
  }

  struct Message: Decodable {
    let role: String
    let content: Content
  }

  /// A text or several.
  struct Stops: Decodable {
    let texts: [String]

    init(from decoder: any Decoder) throws {
      let value = try decoder.singleValueContainer()
      if let text = try? value.decode(String.self) {
        texts = [text]
      } else if let list = try? value.decode([String].self), list.count <= 4 {
        texts = list
      } else {
        throw RequestError.invalid("stop", "expected a text or a list of at most 4")
      }
    }
  }

  struct StreamOptions: Decodable {
    let include_usage: Bool?
  }

  let model: String?
  let prompt: Prompt?
  let messages: [Message]?
  let max_tokens: Int?
  let max_completion_tokens: Int?
  let temperature: Double?
  let top_p: Double?
  let seed: Int64?
  let stop: Stops?
  let stream: Bool?
  let stream_options: StreamOptions?

  /// Reads a body.
  init(json: Data) throws(RequestError) {
    do {
      self = try JSONDecoder().decode(CompletionRequest.self, from: json)
      try Unsupported.check(json)
    } catch let error as RequestError {
      throw error
    } catch let error as DecodingError {
      throw Self.explained(error)
    } catch {
      throw .invalid(nil, "the body cannot be read")
    }
  }

  private static func explained(_ error: DecodingError) -> RequestError {
    func path(_ context: DecodingError.Context, _ key: (any CodingKey)? = nil) -> String? {
      let keys = context.codingPath + [key].compactMap { $0 }
      let path = keys.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
      return path.isEmpty ? nil : path
    }
    return switch error {
    case .typeMismatch(let type, let context): .invalid(path(context), "expected \(named(type))")
    case .valueNotFound(let type, let context): .invalid(path(context), "null given, expected \(named(type))")
    case .keyNotFound(let key, let context): .invalid(path(context, key), "missing")
    case .dataCorrupted(let context):
      // Foundation does not say which of the two it is where the number has no place in a Double.
      .invalid(path(context), "the body is no JSON, or a number in it is out of range")
    @unknown default: .invalid(nil, "the body cannot be read")
    }
  }

  private static func named(_ type: any Any.Type) -> String {
    switch type {
    case is String.Type: "a text"
    case is Bool.Type: "true or false"
    case is Double.Type: "a number"
    case is Int.Type, is Int64.Type: "an integer"
    case is [Message].Type, is [Any].Type: "a list"
    default: "an object"
    }
  }

  /// What would change the answer, and is not written here.
  private struct Unsupported: Decodable {
    let n: Int?
    let best_of: Int?
    let echo: Bool?
    let suffix: String?
    let presence_penalty: Double?
    let frequency_penalty: Double?

    static func check(_ json: Data) throws {
      let fields = try JSONDecoder().decode(Unsupported.self, from: json)
      let asked: [(String, Bool)] = [
        ("n", fields.n ?? 1 != 1), ("best_of", fields.best_of ?? 1 != 1), ("echo", fields.echo ?? false),
        ("suffix", fields.suffix ?? "" != ""), ("presence_penalty", fields.presence_penalty ?? 0 != 0),
        ("frequency_penalty", fields.frequency_penalty ?? 0 != 0),
      ]
      if let field = asked.first(where: \.1)?.0 { throw RequestError.invalid(field, "not supported") }
    }
  }
}
