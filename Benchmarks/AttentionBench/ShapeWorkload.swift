import BenchmarkKit
import Foundation
import TensorFiles

/// A shape and where its numbers come from.
struct ShapeWorkload {
  let shape: BenchmarkShape
  /// Queries, keys and values that somebody really had; random ones where nil.
  var file: SafetensorsFile?

  func inputs<E: BenchElement>(_ type: E.Type, seed: UInt64) throws -> BenchInputs<E> {
    if let file { return try BenchInputs(shape, file: file) }
    return try BenchInputs(random: shape, seed: seed)
  }
}

extension ShapeWorkload {
  /// The shapes that come with the benchmark: those of `shapes.json`, then real text through a real encoder.
  static func standard() throws -> [ShapeWorkload] {
    try list(path: resource("shapes.json")) + [minilm()]
  }

  /// The shapes of a file.
  static func list(path: String) throws -> [ShapeWorkload] {
    try ShapeFile.load(path: path).map { ShapeWorkload(shape: $0) }
  }

  /// Queries, keys and values of a real text in a layer of a real encoder.
  static func minilm() throws -> ShapeWorkload {
    let path = resource("minilm-layer3-qkv.safetensors")
    let file = try SafetensorsFile(path: path)
    func shape(_ name: String) throws -> [Int] {
      guard let entry = file[name], entry.shape.count == 4 else {
        throw BenchmarkError("\(path): tensor \(name) with four axes expected")
      }
      return Array(entry.shape)
    }
    let record = try ShapeRecord(
      name: "minilm-layer3", queries: shape("Q"), keys: shape("K"), values: shape("V"),
      why: "174 tokens of real text in layer 3 of all-MiniLM-L6-v2")
    return ShapeWorkload(shape: try BenchmarkShape(record), file: file)
  }

  private static func resource(_ name: String) -> String {
    Bundle.module.bundleURL.appendingPathComponent("Resources/\(name)").path
  }
}
