import BenchmarkKit

/// How long another engine may take before it counts as stuck. Each is many times what was ever seen.
struct PeerPatience {
  /// Seconds to load its libraries.
  var starting = 120.0
  /// Seconds to read inputs, compile, try its ways and warm up.
  var preparing = 180.0
  /// Seconds for a turn beside those that it was asked to take.
  var turn = 30.0
}

/// Another engine, in a process that stays up. Whatever goes wrong in it costs its own rows only.
final class Peer: AttentionEngine {
  let name: String
  /// What it says of itself; nil where it could not be started.
  private(set) var version: String?

  private let executable: String
  private let arguments: [String]
  private let patience: PeerPatience
  private var process: PeerProcess?
  /// Processes lost one after the other: what keeps ending is not started for every shape.
  private var lost = 0
  private var lastError: PeerError?

  /// Starts it.
  init(name: String, executable: String, arguments: [String], patience: PeerPatience = PeerPatience()) {
    self.name = name
    self.executable = executable
    self.arguments = arguments
    self.patience = patience
    do {
      process = try start()
    } catch {
      lastError = error
    }
  }

  /// Why it cannot be used at all; nil where it was started.
  var absence: String? { version == nil ? lastError?.description : nil }

  func threads(of asked: Int) -> Int { asked }

  func contender<E: BenchElement>(_ inputs: BenchInputs<E>, in bench: Bench) throws -> any AttentionContender
  {
    let process = try running()
    let contender: PeerContender<E>
    do {
      contender = try PeerContender(inputs, of: name, in: process, patience: patience)
    } catch {
      if !process.isRunning { lost += 1 }
      throw error
    }
    lost = 0
    return contender
  }

  /// Ends its process.
  func stop() {
    process?.stop()
    process = nil
  }

  /// Its process, a new one where the last one ended.
  private func running() throws -> PeerProcess {
    if let process, process.isRunning { return process }
    guard version != nil, lost < 2 else {
      throw Unsuitable(reason: absence ?? "it ended \(lost) times in a row")
    }
    do {
      let process = try start()
      self.process = process
      return process
    } catch {
      lost += 1
      throw Unsuitable(reason: error.description)
    }
  }

  private func start() throws(PeerError) -> PeerProcess {
    let process = try PeerProcess(executable: executable, arguments: arguments)
    version = try process.greeting(as: Greeting.self, within: patience.starting).version
    return process
  }

  private struct Greeting: Decodable {
    let version: String
  }
}
