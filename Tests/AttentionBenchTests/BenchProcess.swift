import Foundation
import TestSupport

/// `attention-bench` as its users run it.
struct BenchProcess {
  struct Outcome {
    let code: Int32
    let output: String
    let errors: String
  }

  /// The command, which lies beside the test bundle, whose executable this process is.
  static var executable: URL {
    get throws {
      let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      return URL(fileURLWithPath: bundle).deletingLastPathComponent()
        .appendingPathComponent("attention-bench")
    }
  }

  private let process = Process()
  private let output: TemporaryFile
  private let errors: TemporaryFile

  /// Starts it.
  ///
  /// - Parameter folder: where; here by default.
  init(_ arguments: [String], environment: [String: String] = [:], in folder: URL? = nil) throws {
    process.executableURL = try Self.executable
    process.arguments = arguments
    if let folder { process.currentDirectoryURL = folder }
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    // Into files: nobody has to empty a pipe while the command runs.
    output = try TemporaryFile()
    errors = try TemporaryFile()
    process.standardOutput = output.handle
    process.standardError = errors.handle
    try process.run()
  }

  /// What it came to when it has ended.
  func outcome() throws -> Outcome {
    process.waitUntilExit()
    return Outcome(code: process.terminationStatus, output: try output.text(), errors: try errors.text())
  }

  /// Sends a signal once it has told of something on standard error, or is about to end anyway.
  func send(_ signal: Int32, whenTold words: String) throws {
    while process.isRunning, !(try errors.text().contains(words)) { usleep(10_000) }
    kill(process.processIdentifier, signal)
  }
}
