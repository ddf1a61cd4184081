import ArgumentParser
import BenchmarkKit
import Foundation

/// The engines that can be measured beside ours.
enum PeerName: String, CaseIterable {
  case pytorch, onnxruntime, openvino, numpy
}

/// Where the programs are that other engines run in.
struct PeerSetup {
  private static let script = "Benchmarks/Peers/peers.py"
  private static let environment = ".build/peers/bin/python"

  let python: String
  let script: String

  /// Looks in the working directory and the folders above it, then in those above this program.
  ///
  /// - Parameter python: a Python to take instead of the one that `make peers` made.
  /// - Throws: ``BenchmarkError`` where something is missing.
  init(python: String?) throws {
    let starts = [
      FileManager.default.currentDirectoryPath,
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/",
    ]
    let folders = starts.flatMap(Self.foldersAbove)
    func find(_ path: String) -> String? {
      folders.lazy.map { $0.appendingPathComponent(path).path }
        .first { FileManager.default.fileExists(atPath: $0) }
    }
    guard let script = find(Self.script) else {
      throw BenchmarkError(
        "--peers: \(Self.script) is missing in the working directory and all folders above it")
    }
    self.script = script
    if let python {
      guard Self.canRun(python) else { throw BenchmarkError("--peers-python: \(python) cannot be run") }
      self.python = python
    } else {
      guard let made = find(Self.environment) else {
        throw BenchmarkError("--peers: there is no \(Self.environment), which `make peers` makes")
      }
      guard Self.canRun(made) else {
        throw BenchmarkError("--peers: \(made) cannot be run; `make peers` makes it anew")
      }
      self.python = made
    }
  }

  /// An engine, started.
  func peer(_ name: PeerName, threads: Int) -> Peer {
    Peer(
      .engine(name), executable: python,
      arguments: [script, name.rawValue, "--threads", String(threads)])
  }

  private static func canRun(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

  private static func foldersAbove(_ path: String) -> [URL] {
    var folders = [URL(fileURLWithPath: path)]
    while let last = folders.last, last.path != "/" { folders.append(last.deletingLastPathComponent()) }
    return folders
  }
}
