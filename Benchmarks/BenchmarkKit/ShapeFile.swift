import Foundation

/// A list of shapes in JSON: an array of objects with the fields of ``BenchmarkShape`` in snake_case.
package enum ShapeFile {
  /// The shapes of a file, in its order.
  ///
  /// - Throws: ``BenchmarkError`` with the path, the line where the shape begins, and the reason.
  package static func load(path: String, memoryLimit: Double = physicalMemory) throws(BenchmarkError)
    -> [BenchmarkShape]
  {
    let data = try TextFile.read(path: path, of: "shapes")
    do {
      return try parse(data, memoryLimit: memoryLimit)
    } catch {
      throw BenchmarkError("\(path): \(error)")
    }
  }

  /// The shapes of a file's contents.
  package static func parse(_ data: Data, memoryLimit: Double = physicalMemory) throws(BenchmarkError)
    -> [BenchmarkShape]
  {
    // Without NUL it cannot be UTF-16 or -32, which the parser would read and lines cannot be counted in.
    guard !data.contains(0), String(validating: data, as: UTF8.self) != nil,
      let document = try? JSONSerialization.jsonObject(with: data, options: .fragmentsAllowed)
    else { throw BenchmarkError("not valid JSON") }
    guard let objects = document as? [Any] else { throw BenchmarkError("expected an array of shapes") }
    let elements = JSONArrayText(data).elements
    guard !elements.isEmpty else { throw BenchmarkError("no shapes") }
    guard elements.count == objects.count else { throw BenchmarkError("not valid JSON") }

    var shapes: [BenchmarkShape] = []
    var names: Set<String> = []
    for (index, element) in elements.enumerated() {
      try at(index, of: elements) { () throws(BenchmarkError) in
        let record = try record(element.text)
        try refuseUnknownFields(objects[index])
        let shape = try BenchmarkShape(record, memoryLimit: memoryLimit)
        guard names.insert(shape.name).inserted else {
          throw BenchmarkError("shape \(shape.name): the name appears twice")
        }
        shapes.append(shape)
      }
    }
    for (index, shape) in shapes.enumerated() {
      guard let other = shape.compareWith, other == shape.name || !names.contains(other) else { continue }
      try at(index, of: elements) { () throws(BenchmarkError) in
        throw BenchmarkError(
          "shape \(shape.name): compare_with is \(quoted(other)), expected the name of another shape of the list"
        )
      }
    }
    return shapes
  }

  /// Names the place of what is wrong.
  private static func at(
    _ index: Int, of elements: [JSONArrayText.Element], _ body: () throws(BenchmarkError) -> Void
  ) throws(BenchmarkError) {
    do {
      try body()
    } catch {
      throw BenchmarkError("line \(elements[index].line), entry \(index + 1): \(error)")
    }
  }

  private static func record(_ text: Data) throws(BenchmarkError) -> ShapeRecord {
    do {
      return try JSONDecoder().decode(ShapeRecord.self, from: text)
    } catch DecodingError.dataCorrupted {
      // It is valid JSON. The decoder does not tell where such a number stands.
      throw BenchmarkError("a number is not whole, or too large")
    } catch let error as DecodingError {
      throw BenchmarkError(describe(error))
    } catch {
      throw BenchmarkError("not a shape")
    }
  }

  /// A misspelt field that is optional would measure another problem than the one meant.
  private static func refuseUnknownFields(_ object: Any) throws(BenchmarkError) {
    let known = ShapeRecord.CodingKeys.allCases.map(\.rawValue).sorted()
    // Fields that follow from others, for readers of the file.
    let derived = "kv_bytes_f32"
    let fields = (object as? [String: Any] ?? [:]).keys.sorted()
    guard let field = fields.first(where: { !known.contains($0) && $0 != derived }) else { return }
    throw BenchmarkError(
      "unknown field \(quoted(field))\(suggestion(for: field, among: known)), expected one of \(known.joined(separator: ", "))"
    )
  }

  /// Bytes of memory that this machine has.
  package static var physicalMemory: Double { Double(ProcessInfo.processInfo.physicalMemory) }

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
    default:
      return "not a shape"
    }
  }

  private static func name(of type: Any.Type) -> String {
    switch type {
    case is Int.Type: "a whole number"
    case is Double.Type: "a number"
    case is String.Type: "text"
    case is Bool.Type: "true or false"
    case is [String: Any].Type: "an object"
    default: type is any Sequence.Type ? "an array" : "an object"
    }
  }
}
