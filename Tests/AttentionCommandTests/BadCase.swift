import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// A change that makes a good case bad, and what the message must name.
struct BadCase: Sendable, CustomStringConvertible {
  let description: String
  let expected: String
  let change: @Sendable (inout CaseContents) throws -> Void

  init(
    _ description: String, names expected: String,
    _ change: @escaping @Sendable (inout CaseContents) throws -> Void
  ) {
    self.description = description
    self.expected = expected
    self.change = change
  }

  /// An attribute added to the case.
  init(attribute name: String, _ value: String) {
    self.init("\(name) = \(value)", names: name) { $0.metadata[name] = value }
  }

  /// A tensor added to the case, or put in place of another.
  init(tensor name: String, _ shape: Shape) {
    self.init("\(name) \(shape)", names: name) { $0.tensors[name] = Tensor<Float>.zeros(shape) }
  }

  /// Integers added to the case, or put in place of others.
  init(integers name: String, _ numbers: [Int64], _ shape: Shape? = nil) {
    self.init("\(name) \(numbers)", names: name) {
      $0.tensors[name] = try Tensor<Int64>(numbers, shape: shape ?? [numbers.count])
    }
  }

  /// The case written and run: it fails, the message begins with what is wrong, and nothing but the case is left.
  func expectFailure(of good: CaseContents) throws {
    let directory = try TemporaryDirectory()
    var contents = good
    try change(&contents)
    let input = try contents.write(to: directory.file("case.safetensors"))
    try AttentionCommandTests.expectFailure(
      input, in: directory, names: "Error: \(expected)", leaves: ["case.safetensors"], description)
  }

  /// The same case with another text in the message.
  func naming(_ expected: String) -> BadCase { BadCase(description, names: expected, change) }
}

/// Runs the command and checks what every failure has in common.
func expectFailure(
  _ input: String, in directory: TemporaryDirectory, names expected: String,
  output: String = "out.safetensors", leaves files: [String], _ comment: String
) throws {
  let result = try runAttention(["run", input, "-o", directory.file(output)])
  #expect(result.status == 1, "\(comment): \(result)")
  #expect(result.errorLines.count == 1, "\(comment): \(result)")
  #expect(result.standardOutput.isEmpty, "\(comment): \(result)")
  #expect(result.standardError.contains(expected), "\(comment): \(result)")
  #expect(try directory.contents() == files, "\(comment)")
}
