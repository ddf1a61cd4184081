import Foundation

/// A list of shapes in JSON: an array of objects with the fields of ``ShapeRecord`` in snake_case.
package enum ShapeFile {
  /// The shapes of a file, in its order.
  ///
  /// - Throws: ``BenchmarkError`` with the path, the line where the shape begins, and the reason.
  package static func load(path: String, memoryLimit: Double = physicalMemory) throws(BenchmarkError)
    -> [BenchmarkShape]
  {
    let data = try InputFile.read(path: path, limit: InputFile.mostListBytes, kind: "a list of shapes")
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
        let record = try InputFile.decode(ShapeRecord.self, from: element.text)
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
}
