import AttentionReference
import Foundation
import TensorFiles
import Tensors
import Testing

/// What a run of the executable left behind.
struct CommandResult: CustomStringConvertible {
  let status: Int32
  let standardOutput: String
  let standardError: String

  /// Each line of stderr, without the empty one after the last line break.
  var errorLines: [Substring] { standardError.split(separator: "\n", omittingEmptySubsequences: true) }

  var description: String { "exit \(status), stdout \"\(standardOutput)\", stderr \"\(standardError)\"" }
}

/// Runs the executable that the tests were built with, to its end.
///
/// It lies beside the test bundle, whatever the build's directory and configuration are.
func runAttention(_ arguments: [String]) throws -> CommandResult {
  let process = Process()
  process.executableURL = Bundle.main.bundleURL.appendingPathComponent("attention")
  process.arguments = arguments
  let output = Pipe()
  let errors = Pipe()
  process.standardOutput = output
  process.standardError = errors
  try process.run()
  // Both are far smaller than a pipe's buffer, so that reading one after the other cannot block the child.
  let outputData = output.fileHandleForReading.readDataToEndOfFile()
  let errorData = errors.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  return CommandResult(
    status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
    standardOutput: String(decoding: outputData, as: UTF8.self),
    standardError: String(decoding: errorData, as: UTF8.self))
}

/// A directory for one test, gone when the test is over.
final class TemporaryDirectory {
  let path: String

  init() throws {
    path =
      FileManager.default.temporaryDirectory.appendingPathComponent("attention-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// The path of a file in here.
  func file(_ name: String) -> String { "\(path)/\(name)" }

  /// The names of the files in here.
  func contents() throws -> [String] { try FileManager.default.contentsOfDirectory(atPath: path).sorted() }
}

/// The tensors and metadata of a case, to be changed by a test before they are written.
struct CaseContents: Sendable {
  var metadata: [String: String]
  var tensors: [String: any WritableTensor]

  init(_ metadata: [String: String] = [:], _ tensors: [String: any WritableTensor]) {
    self.metadata = metadata
    self.tensors = tensors
  }

  /// Writes the case and gives its path.
  func write(to path: String) throws -> String {
    var writer = SafetensorsWriter(metadata: metadata)
    for (name, tensor) in tensors { try tensor.add(to: &writer, name) }
    try writer.write(to: path)
    return path
  }
}

/// Runs a case that must succeed without a word, and gives its results.
func results(
  of contents: CaseContents, _ flags: [String] = [], _ comment: String = ""
) throws -> SafetensorsFile {
  let directory = try TemporaryDirectory()
  let input = try contents.write(to: directory.file("case.safetensors"))
  let output = directory.file("out.safetensors")
  let result = try runAttention(["run", input, "-o", output] + flags)
  try #require(result.status == 0, "\(comment): \(result)")
  #expect(result.standardError.isEmpty && result.standardOutput.isEmpty, "\(comment): \(result)")
  // The file stays mapped when the directory is gone.
  return try withExtendedLifetime(directory) { try SafetensorsFile(path: output) }
}

extension SafetensorsFile {
  /// Expects a tensor of one type, near the exact one by the contract of case files.
  func expect(
    _ name: String, _ type: ElementType, near exact: Tensor<Double>, _ comment: String,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let entry = try #require(self[name], "\(comment): no \(name)", sourceLocation: sourceLocation)
    #expect(entry.elementType == type, "\(comment): \(name)", sourceLocation: sourceLocation)
    try #require(entry.shape == exact.shape, "\(comment): \(name)", sourceLocation: sourceLocation)
    let mismatch = Tolerance.caseFile(type).worstMismatch(
      try tensor(name, convertedTo: Double.self), expected: exact)
    #expect(
      mismatch == nil, "\(comment): \(name) \(mismatch?.description ?? "")", sourceLocation: sourceLocation)
  }
}

extension ElementType {
  /// The type of `lse` beside results of this type.
  var logSumExpType: ElementType { self == .float64 ? .float64 : .float32 }
}

/// A tensor of any element type.
protocol WritableTensor: Sendable {
  func add(to writer: inout SafetensorsWriter, _ name: String) throws
}

extension Tensor: WritableTensor {
  func add(to writer: inout SafetensorsWriter, _ name: String) throws { try writer.add(name, self) }
}

/// A tensor of numbers of unit variance, the same for the same seed.
func randomTensor<E: FloatingPointElement>(_ shape: Shape, seed: UInt64, as _: E.Type = E.self) -> Tensor<E> {
  // SplitMix64, uniform on ±√3.
  var state = seed
  return Tensor(unsafeUninitializedShape: shape) { buffer in
    for index in buffer.indices {
      state &+= 0x9E37_79B9_7F4A_7C15
      var z = state
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      z ^= z >> 31
      let unit = Double(z >> 11) * 0x1p-53
      buffer.initializeElement(at: index, to: E(nearest: (2 * unit - 1) * 3.0.squareRoot()))
    }
  }
}
