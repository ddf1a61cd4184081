import Foundation
import TestSupport
import Testing

/// `attention-bench` as its users run it.
struct BenchProcess {
  struct Outcome {
    let code: Int32
    let output: String
    let errors: String

    /// What `--format json` tells of the run.
    func context() throws -> [String: Any] { try #require(document()["context"] as? [String: Any]) }

    /// The entries of `--format json`.
    func entries() throws -> [[String: Any]] { try #require(document()["benchmarks"] as? [[String: Any]]) }

    /// A dictionary for each result: what its median tells, `status` and `reason`, `rounds`.
    func rows() throws -> [[String: Any]] {
      let families = Dictionary(grouping: try entries()) { $0["family_index"] as? Int ?? -1 }
      return families.sorted { $0.key < $1.key }.map { _, entries in
        var row = entries.first { $0["aggregate_name"] as? String == "median" } ?? entries[0]
        row["rounds"] = row["repetitions"]
        row["reason"] = row["error_message"] ?? row["skip_message"]
        row["status"] = row["skipped"] != nil ? "skipped" : row["error_occurred"] != nil ? "failed" : "ok"
        return row
      }
    }

    private func document() throws -> [String: Any] {
      try #require(try JSONSerialization.jsonObject(with: Data(output.utf8)) as? [String: Any], "\(self)")
    }
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
