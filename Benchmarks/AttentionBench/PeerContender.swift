import Attention
import BenchmarkKit
import TensorFiles

/// A problem as another engine computes it, in a process of its own that keeps it ready.
final class PeerContender<E: BenchElement>: AttentionContender {
  let plan: String?
  let sample: PairSample? = nil
  let tolerance: KeyPath<Tolerances, Double> = \.forPeers

  private let inputs: BenchInputs<E>
  private let peer: Peer
  private let process: PeerProcess
  private let problem: String
  private let callSeconds: Double
  /// In a type that holds every other.
  private var output: Tensor<Double>?

  /// Has the process read the inputs, try its ways to compute the problem, and warm up.
  ///
  /// - Throws: ``Unsuitable`` where it cannot.
  init(_ inputs: BenchInputs<E>, of peer: Peer, in process: PeerProcess) throws {
    self.peer = peer
    self.process = process
    self.inputs = inputs
    let shape = inputs.shape
    // Ours are 0 there; others have their own opinions, NaN among them.
    if shape.hasBlindQueries { throw Unsuitable(reason: "queries that see no key are not compared") }
    problem = "\(shape.name)/\(E.benchType.rawValue)"
    let file = try inputs.passed()
    let body = PeerPreparation(
      problem: problem, dtype: E.benchType.rawValue, inputs: file.path, shape: shape.record)
    // The name of the file is its descriptor's, which has to stay open.
    let prepared = try withExtendedLifetime(file) {
      try process.answer(
        to: "prepare", body, PeerPrepared.self, within: peer.patience.preparing,
        unless: { Interruption.isRequested })
    }
    // No call that it made while it prepared took longer than that.
    guard prepared.seconds > 0, prepared.seconds <= peer.patience.preparing else {
      throw Unsuitable(reason: "it says that a call takes \(prepared.seconds) s")
    }
    guard isPrintableWord(prepared.call) else {
      throw Unsuitable(reason: "it says that its call is \(quoted(prepared.call))")
    }
    plan = prepared.call
    callSeconds = prepared.seconds
  }

  var name: String { peer.name }

  /// Its warming and its clock are its own: a turn lasts as long as ours.
  func timed() -> Contender {
    Contender(name: name, callSeconds: callSeconds) { seconds, _ in
      let most = self.peer.patience.turn + 10 * (seconds + self.callSeconds)
      let taken = try self.process.answer(
        to: "turn", PeerTurn(problem: self.problem, seconds: seconds), PeerTaken.self,
        within: most)
      guard taken.seconds > 0, taken.seconds <= most, taken.calls > 0, taken.cpuSeconds >= 0 else {
        throw Unsuitable(reason: "it says that \(taken.calls) calls took \(taken.seconds) s each")
      }
      return Turn(seconds: taken.seconds, calls: taken.calls, cpuSeconds: taken.cpuSeconds)
    }
  }

  /// Has it write what it computed, and forget the problem.
  func finish() throws {
    let file = try PassedFile()
    _ = try process.answer(
      to: "finish", PeerFinish(problem: problem, output: file.path), PeerFinished.self,
      within: peer.patience.turn + 10 * callSeconds)
    peer.hasFinished()
    let expected = inputs.outputShape
    do {
      // Float64 at most, and a header.
      let bytes = try file.read(most: expected.reduce(8, *) + 4096)
      let tensor = try SafetensorsFile(bytes: bytes, name: "its output").tensor("Y", convertedTo: Double.self)
      guard tensor.shape == expected else {
        throw Unsuitable(reason: "its output is \(tensor.shape), expected \(expected)")
      }
      output = tensor
    } catch let error as BenchmarkError {
      throw Unsuitable(reason: error.description)
    } catch let error as TensorFileError {
      throw Unsuitable(reason: error.description)
    }
  }

  func outputRow(_ row: RowIndex) -> [Double] {
    guard let output else { return [] }
    return inputs.outputRow(row, of: output)
  }

  func defect() -> String? {
    guard let output else { return "no output" }
    return output.defect
  }
}

extension PeerProcess {
  /// - Throws: ``Unsuitable`` in its words, or in ours about it.
  fileprivate func answer<Reply: Decodable>(
    to task: String, _ body: some Encodable, _: Reply.Type, within seconds: Double,
    unless isInterrupted: (() -> Bool)? = nil
  ) throws -> Reply {
    do {
      return try ask(PeerRequest(task, body), for: Reply.self, within: seconds, unless: isInterrupted)
    } catch {
      if isInterrupted?() == true { throw Unsuitable.interrupted }
      throw Unsuitable(reason: error.description)
    }
  }
}
