import AttentionReference
import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// A case with the results that it must have, from the folder of fixtures.
struct Fixture: Sendable, CustomStringConvertible {
  let path: String

  /// `onnx/attention_4d_gqa`
  var description: String {
    path.split(separator: "/").suffix(2).joined(separator: "/").replacing(".safetensors", with: "")
  }

  /// Whether it is a file that has to be refused.
  var isHostile: Bool { description.contains("/hostile_") }

  /// All fixtures in one folder.
  static func all(in folder: String) -> [Fixture] {
    let path = Bundle.module.bundleURL.appendingPathComponent("Fixtures/\(folder)").path
    let names = (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    return names.sorted().map { Fixture(path: "\(path)/\($0)") }
  }
}

@Suite struct ConformanceTests {
  @Test(
    arguments: Fixture.all(in: "onnx") + Fixture.all(in: "extended")
      + Fixture.all(in: "faults").filter { !$0.isHostile })
  func resultsAreAsExpected(fixture: Fixture) throws {
    let directory = try TemporaryDirectory()
    let output = directory.file("out.safetensors")
    let result = try runAttention(["run", fixture.path, "-o", output])
    try #require(result.status == 0, "\(fixture): \(result)")
    #expect(result.standardOutput.isEmpty && result.standardError.isEmpty, "\(fixture): \(result)")

    let given = try SafetensorsFile(path: fixture.path)
    let computed = try SafetensorsFile(path: output)
    let results = Self.results(of: given)
    #expect(computed.names.sorted() == results.keys.sorted(), "\(fixture)")
    for (name, type) in results { #expect(computed[name]?.elementType == type, "\(fixture) \(name)") }

    let prefix = "expected."
    let expectedNames = given.names.filter { $0.hasPrefix(prefix) }
    try #require(
      expectedNames.contains("expected.Y") || expectedNames.contains("expected.output"), "\(fixture)")
    for expectedName in expectedNames {
      let name = String(expectedName.dropFirst(prefix.count))
      let expected = try given.tensor(expectedName, convertedTo: Double.self)
      let actual = try computed.tensor(name, convertedTo: Double.self)
      try #require(actual.shape == expected.shape, "\(fixture) \(name)")
      // By the type of the result: lse is Float32 where Y is a half type.
      let type = try #require(computed[name]).elementType
      let mismatch = Tolerance.caseFile(type).worstMismatch(actual, expected: expected)
      #expect(mismatch == nil, "\(fixture) \(name) at \(mismatch?.description ?? "")")
    }
  }

  /// The names and types of the results that a case asks for.
  private static func results(of given: SafetensorsFile) -> [String: ElementType] {
    if let type = given["input"]?.elementType { return ["output": type] }
    guard let type = given["Q"]?.elementType else { return [:] }
    var results = ["Y": type, "lse": type == .float64 ? .float64 : .float32]
    if given["past_key"] != nil { results.merge(["present_key": type, "present_value": type]) { $1 } }
    if given.metadata["qk_matmul_output_mode"] != nil { results["qk_matmul_output"] = type }
    return results
  }

  @Test func allFixturesAreThere() {
    // A folder that was not copied must not pass as a folder without failures.
    #expect(Fixture.all(in: "onnx").count == 56)
    #expect(Fixture.all(in: "extended").count == 23)
    #expect(Fixture.all(in: "faults").count == 12)
  }
}
