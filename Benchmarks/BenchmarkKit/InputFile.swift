import Foundation

/// Files that people name on the command line.
enum InputFile {
  /// A list that people write, of shapes or sweeps, is shorter: what is larger is something else.
  static var mostListBytes: Int { 1 << 20 }

  /// The contents of a regular file of at most `limit` bytes.
  ///
  /// - Parameters:
  ///   - path: where it is.
  ///   - kind: what it should be, for the error: `a list of shapes`.
  /// - Throws: ``BenchmarkError`` with the path and the reason.
  static func read(path: String, limit: Int, kind: String) throws(BenchmarkError) -> Data {
    let url = URL(fileURLWithPath: path).resolvingSymlinksInPath()
    guard let attributes = try? FileManager.default.attributesOfItem(atPath: url.path) else {
      throw BenchmarkError("\(path): cannot be read")
    }
    guard attributes[.type] as? FileAttributeType == .typeRegular else {
      throw BenchmarkError("\(path): not a regular file")
    }
    guard let size = attributes[.size] as? Int, size <= limit else {
      throw BenchmarkError("\(path): more than \(limit) bytes, too large for \(kind)")
    }
    guard let data = try? Data(contentsOf: url) else { throw BenchmarkError("\(path): cannot be read") }
    return data
  }

  /// A JSON document's contents.
  ///
  /// - Throws: ``BenchmarkError`` that says where what is wrong.
  static func decode<T: Decodable>(_ type: T.Type, from data: Data) throws(BenchmarkError) -> T {
    do {
      return try JSONDecoder().decode(type, from: data)
    } catch DecodingError.dataCorrupted where (try? JSONSerialization.jsonObject(with: data)) != nil {
      // The decoder does not tell where such a number stands.
      throw BenchmarkError("a number is not whole, or too large")
    } catch let error as DecodingError {
      throw BenchmarkError(describe(error))
    } catch {
      throw BenchmarkError("not valid JSON")
    }
  }

  private static func describe(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.map { key in
        key.intValue.map { "entry \($0 + 1)" } ?? quoted(key.stringValue)
      }
      return path.isEmpty ? "" : path.joined(separator: ", ") + ": "
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "\(place(context))\(key.stringValue) is missing"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      return "\(place(context))expected \(name(of: type))"
    case .dataCorrupted:
      return "not valid JSON"
    @unknown default:
      return "not what was expected"
    }
  }

  private static func name(of type: Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type: "a number"
    case is String.Type: "text"
    case is Bool.Type: "true or false"
    case is any ExpressibleByDictionaryLiteral.Type: "an object"
    default: type is any Sequence.Type ? "an array" : "an object"
    }
  }
}
