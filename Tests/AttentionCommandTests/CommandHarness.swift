import AttentionReference
import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// What a run of the executable left behind.
struct CommandResult: CustomStringConvertible {
  let status: Int32
  let standardOutput: String
  let standardError: String

  /// The status of a run that took longer than it may: what `timeout -s KILL` says.
  static let timedOut: Int32 = -SIGKILL

  /// Each line of stderr, without the empty one after the last line break.
  var errorLines: [Substring] { standardError.split(separator: "\n", omittingEmptySubsequences: true) }

  var description: String { "exit \(status), stdout \"\(standardOutput)\", stderr \"\(standardError)\"" }
}

/// The executable that the tests were built with.
///
/// It lies beside the test bundle, whatever the build's directory and configuration are.
let attentionExecutable = Bundle.main.bundleURL.appendingPathComponent("attention")

/// The executable with its arguments, not started yet.
///
/// - Parameters:
///   - limits: arguments of a shell's `ulimit` that it runs under, `-v 2000000` for instance.
///   - seconds: how long it may run.
///   - environment: variables that it gets beside those of the tests, or does not get.
func attentionProcess(
  _ arguments: [String], limits: String? = nil, seconds: Int? = nil, environment: [String: String?] = [:]
) throws -> Process {
  let process = Process()
  if limits == nil && seconds == nil {
    process.executableURL = attentionExecutable
    process.arguments = arguments
  } else {
    let limit = limits.map { "ulimit \($0) && " } ?? ""
    let timeout = seconds.map { "timeout -s KILL \($0) " } ?? ""
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "\(limit)exec \(timeout)\"$0\" \"$@\"", attentionExecutable.path] + arguments
  }
  process.environment = ProcessInfo.processInfo.environment.merging(environment.compactMapValues { $0 }) {
    $1
  }
  .filter { environment[$0.key].map { $0 != nil } ?? true }
  return process
}

/// Runs the executable to its end.
///
/// - Parameters: those of ``attentionProcess(_:limits:seconds:environment:)``.
func runAttention(
  _ arguments: [String], limits: String? = nil, seconds: Int? = nil, environment: [String: String?] = [:]
) throws -> CommandResult {
  let process = try attentionProcess(
    arguments, limits: limits, seconds: seconds, environment: environment)
  let (output, errors) = (try TemporaryFile(), try TemporaryFile())
  process.standardOutput = output.handle
  process.standardError = errors.handle
  try process.run()
  process.waitUntilExit()
  return CommandResult(
    status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
    standardOutput: try output.text(), standardError: try errors.text())
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
  .normal(shape, seed: seed)
}
