import Foundation

/// A list of shapes in JSON: an array of objects with the fields of ``BenchmarkShape`` in snake_case.
package enum ShapeFile {
  /// A list of shapes is text written by people; what is larger is something else.
  static var largestByteCount: Int { 1 << 20 }

  /// The shapes of a file, in its order.
  ///
  /// - Throws: ``BenchmarkError`` with the path and the reason.
  package static func load(path: String, memoryLimit: Double = physicalMemory) throws(BenchmarkError)
    -> [BenchmarkShape]
  {
    let data = try InputFile.read(path: path, limit: largestByteCount, kind: "a list of shapes")
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
    let records = try InputFile.decode([ShapeRecord].self, from: data)
    try refuseUnknownFields(data)
    guard !records.isEmpty else { throw BenchmarkError("no shapes") }
    var shapes: [BenchmarkShape] = []
    var names: Set<String> = []
    for record in records {
      let shape = try BenchmarkShape(record, memoryLimit: memoryLimit)
      guard names.insert(shape.name).inserted else {
        throw BenchmarkError("shape \(shape.name): the name appears twice")
      }
      shapes.append(shape)
    }
    for shape in shapes {
      if let other = shape.compareWith, other == shape.name || !names.contains(other) {
        throw BenchmarkError(
          "shape \(shape.name): compare_with is \(quoted(other)), expected the name of another shape of the list"
        )
      }
    }
    return shapes
  }

  /// A misspelt field that is optional would measure another problem than the one meant.
  private static func refuseUnknownFields(_ data: Data) throws(BenchmarkError) {
    let known = Set(ShapeRecord.CodingKeys.allCases.map(\.rawValue))
    // Fields that follow from others, for readers of the file.
    let derived: Set = ["kv_bytes_f32"]
    let objects = (try? JSONSerialization.jsonObject(with: data)) as? [[String: Any]] ?? []
    for (index, object) in objects.enumerated() {
      if let field = object.keys.sorted().first(where: { !known.contains($0) && !derived.contains($0) }) {
        throw BenchmarkError(
          "entry \(index + 1): unknown field \(quoted(field)), expected one of \(known.sorted().joined(separator: ", "))"
        )
      }
    }
  }

  /// Bytes of memory that this machine has.
  package static var physicalMemory: Double { Double(ProcessInfo.processInfo.physicalMemory) }
}
