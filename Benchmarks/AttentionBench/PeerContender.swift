import Attention
import BenchmarkKit
import TensorFiles

/// A problem as another engine computes it, in a process of its own that keeps it ready.
final class PeerContender<E: BenchElement>: AttentionContender {
  let name: String
  let plan: String?
  let sample: PairSample? = nil
  let tolerance: KeyPath<Tolerances, Double> = \.forPeers

  private let shape: BenchmarkShape
  private let process: PeerProcess
  private let patience: PeerPatience
  private let problem: String
  private let callSeconds: Double
  /// In a type that holds every other.
  private var output: Tensor<Double>?

  /// Has the process read the inputs, try its ways to compute the problem, and warm up.
  ///
  /// - Throws: ``Unsuitable`` where it cannot.
  init(_ inputs: BenchInputs<E>, of name: String, in process: PeerProcess, patience: PeerPatience) throws {
    self.name = name
    self.process = process
    self.patience = patience
    shape = inputs.shape
    problem = "\(shape.name)/\(E.benchType.rawValue)"
    let file = try PassedFile()
    try file.write(try inputs.safetensors())
    let body = Preparation(
      problem: problem, dtype: E.benchType.rawValue, inputs: file.path, shape: PeerRules(inputs))
    let prepared = try process.answer(to: "prepare", body, Prepared.self, within: patience.preparing)
    guard prepared.seconds > 0, prepared.seconds.isFinite else {
      throw Unsuitable(reason: "it says that a call takes \(prepared.seconds) s")
    }
    plan = prepared.call
    callSeconds = prepared.seconds
  }

  /// Its warming and its clock are its own: a turn lasts as long as ours.
  func timed(isCompared: Bool, in rounds: Rounds) -> Contender {
    // Calls longer than a contender's time altogether are still compared within rounds, but in few, and what takes many seconds once.
    let leastRounds = callSeconds > 4 ? 1 : (rounds.minimum + 1) / 2
    return Contender(name: name, knownSeconds: callSeconds, leastRounds: leastRounds) { seconds, _ in
      let taken = try self.process.answer(
        to: "turn", PeerTurn(problem: self.problem, seconds: seconds), Taken.self,
        within: self.patience.turn + 10 * (seconds + self.callSeconds))
      guard taken.seconds > 0, taken.seconds.isFinite, taken.calls > 0, taken.cpu_seconds >= 0 else {
        throw Unsuitable(reason: "it says that \(taken.calls) calls took \(taken.seconds) s each")
      }
      return Turn(seconds: taken.seconds, calls: taken.calls, cpuSeconds: taken.cpu_seconds)
    }
  }

  /// Has it write what it computed, and forget the problem.
  func finish() throws {
    let file = try PassedFile()
    _ = try process.answer(
      to: "finish", Finish(problem: problem, output: file.path), Nothing.self,
      within: patience.turn + 10 * callSeconds)
    let expected: Shape = [shape.batch, shape.queryHeads, shape.queries, shape.valueDim]
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
    return (0..<shape.valueDim).map { output[row.sequence, row.head, row.query, $0] }
  }

  func defect() -> String? {
    guard let output else { return "no output" }
    var count = 0
    output.forEachRow { row, length, stride in
      for index in 0..<length where !row[index * stride].isFinite { count += 1 }
    }
    return count == 0 ? nil : "\(count) of \(output.count) outputs are not finite"
  }
}

// MARK: - Messages, with names as `Peers/peers.py` has them

private struct Preparation: Encodable {
  let problem: String
  let dtype: String
  let inputs: String
  let shape: PeerRules
}

private struct PeerTurn: Encodable {
  let problem: String
  let seconds: Double
}

private struct Finish: Encodable {
  let problem: String
  let output: String
}

private struct Prepared: Decodable {
  let call: String
  let seconds: Double
}

private struct Taken: Decodable {
  let seconds: Double
  let calls: Int
  let cpu_seconds: Double
}

private struct Nothing: Decodable {}

/// What the tensors do not tell: which keys are visible, and what else changes scores.
private struct PeerRules: Encodable {
  let mask: String
  let key_lengths: [Int]?
  let query_lengths: [Int]?
  let left_window_size: Int?
  let packed: Bool
  let softcap: Double?
  let alibi_slopes: [Double]?
  let sinks: Bool

  init<E>(_ inputs: BenchInputs<E>) {
    let shape = inputs.shape
    mask = shape.mask.rawValue
    key_lengths = shape.keyLengths
    query_lengths = shape.queryLengths
    left_window_size = shape.leftWindowSize
    packed = shape.layout == .packed
    softcap = shape.softcap
    alibi_slopes = inputs.alibiSlopes
    sinks = shape.hasSinks
  }
}

extension PeerProcess {
  /// - Throws: ``Unsuitable`` in its words, or in ours about it.
  fileprivate func answer<Reply: Decodable>(
    to task: String, _ body: some Encodable, _: Reply.Type, within seconds: Double
  ) throws -> Reply {
    do {
      return try ask(PeerRequest(task, body), for: Reply.self, within: seconds)
    } catch {
      throw Unsuitable(reason: error.description)
    }
  }
}

extension BenchInputs {
  /// Queries, keys and values as a file.
  fileprivate func safetensors() throws -> [UInt8] {
    var writer = SafetensorsWriter()
    try writer.add("Q", queries)
    try writer.add("K", keys)
    try writer.add("V", values)
    return try writer.bytes()
  }
}
