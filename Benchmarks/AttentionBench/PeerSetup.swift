import ArgumentParser
import BenchmarkKit
import Foundation

/// The engines that can be measured beside ours.
enum PeerName: String, CaseIterable {
  case pytorch, onnxruntime, openvino, numpy, vllm, zentorch, flex

  /// The environment that `make peers` makes for it: engines that were built with another torch than PyTorch's newest have their own.
  fileprivate var environment: String {
    switch self {
    case .pytorch, .onnxruntime, .openvino, .numpy, .flex: ".build/peers"
    case .vllm, .zentorch: ".build/peers-\(rawValue)"
    }
  }
}

/// Where the programs are that other engines run in.
struct PeerSetup {
  private static let script = "Benchmarks/Peers/peers.py"

  /// A Python to take instead of those that `make peers` made.
  private let python: String?
  private let script: String

  /// - Throws: ``BenchmarkError`` where something is missing.
  init(python: String?) throws {
    guard let script = Self.find(Self.script) else {
      throw BenchmarkError(
        "--peers: \(Self.script) is missing in the working directory and all folders above it")
    }
    self.script = script
    if let python, !Self.canRun(python) {
      throw BenchmarkError("--peers-python: \(python) cannot be run")
    }
    self.python = python
  }

  /// An engine, started.
  ///
  /// - Throws: ``BenchmarkError`` where there is no Python for it.
  func peer(_ name: PeerName, threads: Int) throws -> Peer {
    Peer(
      .engine(name), executable: try python ?? Self.python(of: name),
      arguments: [script, name.rawValue, "--threads", String(threads)])
  }

  private static func python(of name: PeerName) throws -> String {
    try python(in: name.environment, of: name.rawValue, flag: "--peers")
  }

  /// The Python and the script of an engine that runs whole models.
  static func modelProgram(_ engine: ModelPeer) throws -> (python: String, script: String) {
    let path = "Benchmarks/Peers/model_peers.py"
    guard let script = find(path) else {
      throw BenchmarkError(
        "--contenders: \(path) is missing in the working directory and all folders above it")
    }
    return (try python(in: ".build/peers", of: engine.rawValue, flag: "--contenders"), script)
  }

  private static func python(in environment: String, of name: String, flag: String) throws -> String {
    let path = "\(environment)/bin/python"
    guard let python = find(path) else {
      throw BenchmarkError("\(flag): there is no \(path), which `make peers PEERS=\(name)` makes")
    }
    guard canRun(python) else {
      throw BenchmarkError("\(flag): \(python) cannot be run; `make peers PEERS=\(name)` makes it anew")
    }
    return python
  }

  /// Looks in the working directory and the folders above it, then in those above this program.
  private static func find(_ path: String) -> String? {
    let starts = [
      FileManager.default.currentDirectoryPath,
      (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? "/",
    ]
    return starts.flatMap(foldersAbove).lazy.map { $0.appendingPathComponent(path).path }
      .first { FileManager.default.fileExists(atPath: $0) }
  }

  private static func canRun(_ path: String) -> Bool { FileManager.default.isExecutableFile(atPath: path) }

  private static func foldersAbove(_ path: String) -> [URL] {
    var folders = [URL(fileURLWithPath: path)]
    while let last = folders.last, last.path != "/" { folders.append(last.deletingLastPathComponent()) }
    return folders
  }
}
