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

/// Who computes in another process.
enum PeerProgram {
  case engine(PeerName)
  /// A build of this program, under the name that its rows have.
  case build(String)

  var name: String {
    switch self {
    case .engine(let engine): engine.rawValue
    case .build(let name): name
    }
  }

  /// What its process takes for a problem at most, and what we take for its output.
  func bytes(for shape: BenchmarkShape, elementBytes: Int) -> Double {
    switch self {
    case .engine(let engine): engine.bytes(for: shape, elementBytes: elementBytes)
    // The passed file, what it reads of that, and its output as bytes and in Float64 here.
    case .build: 4 * shape.tensorBytes(elementBytes: elementBytes, outputs: 2)
    }
  }
}

/// Another engine, in a process that stays up. Whatever goes wrong in it costs its own rows only.
final class Peer: AttentionEngine {
  let program: PeerProgram
  /// What it says of itself; nil where it could not be started.
  private(set) var version: String?

  private let executable: String
  private let arguments: [String]
  let patience: PeerPatience
  private var process: PeerProcess?
  /// Processes lost since a problem was finished: what keeps ending is not started for every shape.
  private var lost = 0
  private var lastError: PeerError?

  /// Starts it.
  init(
    _ program: PeerProgram, executable: String, arguments: [String], patience: PeerPatience = PeerPatience()
  ) {
    self.program = program
    self.executable = executable
    self.arguments = arguments
    self.patience = patience
    do {
      process = try start()
    } catch {
      lastError = error
    }
  }

  var name: String { program.name }

  /// Why it cannot be used at all; nil where it was started.
  var absence: String? { version == nil ? lastError?.description : nil }

  func threads(of asked: Int) -> Int { asked }

  func contender<E: BenchElement>(_ inputs: BenchInputs<E>, in bench: Bench) throws -> any AttentionContender
  {
    try contender(inputs)
  }

  /// A problem, prepared.
  ///
  /// - Throws: ``Unsuitable`` where it cannot.
  func contender<E: BenchElement>(_ inputs: BenchInputs<E>) throws -> PeerContender<E> {
    try PeerContender(inputs, of: self, in: try running())
  }

  func bytes(for shape: BenchmarkShape, elementBytes: Int) -> Double {
    version == nil ? 0 : program.bytes(for: shape, elementBytes: elementBytes)
  }

  /// It went through a problem from its inputs to its output.
  func hasFinished() { lost = 0 }

  /// Ends its process.
  func stop() {
    process?.stop()
    process = nil
  }

  /// Its process, a new one where the last one ended.
  private func running() throws -> PeerProcess {
    if let process {
      if process.isRunning { return process }
      lost += 1
      self.process = nil
    }
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
    let said = try process.greeting(
      as: PeerGreeting.self, within: patience.starting, unless: { Interruption.isRequested }
    ).version
    guard isPrintableWord(said) else { throw .lost("it says that its version is \(quoted(said))") }
    version = said
    return process
  }
}
