import Foundation

/// A list of shapes in JSON: an array of objects with the fields of ``ShapeRecord`` in snake_case.
package enum ShapeFile {
  /// The shapes of a file, in its order.
  ///
  /// - Throws: ``BenchmarkError`` with the path, which entry it is, and the reason.
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
    let entries = try InputFile.decode([Entry].self, from: data)
    guard !entries.isEmpty else { throw BenchmarkError("no shapes") }
    var shapes: [BenchmarkShape] = []
    for (index, entry) in entries.enumerated() {
      do {
        if let problem = entry.problem { throw problem }
        shapes.append(try BenchmarkShape(entry.record, memoryLimit: memoryLimit))
      } catch {
        throw BenchmarkError("entry \(index + 1): \(error)")
      }
    }
    let names = shapes.map(\.name)
    for (index, shape) in shapes.enumerated() {
      guard names.firstIndex(of: shape.name) == index else {
        throw BenchmarkError("shape \(shape.name): the name appears twice")
      }
      if let other = shape.compareWith, other == shape.name || !names.contains(other) {
        throw BenchmarkError(
          "shape \(shape.name): compare_with is \(quoted(other)), expected the name of another shape of the list"
        )
      }
    }
    return shapes
  }

  /// A shape and what is wrong with the names of its fields: one that is misspelt and optional would measure another problem than the
  /// one meant.
  private struct Entry: Decodable {
    let record: ShapeRecord
    let problem: BenchmarkError?

    init(from decoder: any Decoder) throws {
      let known = ShapeRecord.CodingKeys.allCases.map(\.rawValue).sorted()
      // Follows from others, for readers of the file.
      let derived = "kv_bytes_f32"
      let fields = try decoder.container(keyedBy: JSONMember.self).allKeys.map(\.stringValue)
      let strange = fields.filter { !known.contains($0) && $0 != derived }.min()
      problem = strange.map { BenchmarkError("field \(unknown($0, among: known))") }
      record = try ShapeRecord(from: decoder)
    }
  }

  /// Bytes of memory that this machine has.
  package static var physicalMemory: Double { Double(ProcessInfo.processInfo.physicalMemory) }
}
