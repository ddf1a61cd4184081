import ArgumentParser
import Attention
import BenchmarkKit
import Foundation
import Parallelism
import TensorFiles

/// Stays up and is timed whenever it is asked to: our kernels as another build of this program measures them, in the protocol of
/// `Peers/peers.py`.
struct AnswerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "answer",
    abstract: "Time our kernels whenever a line on standard input asks for it: what --against starts.",
    shouldDisplay: false)

  @Option(help: "Threads of our kernels.")
  var threads: Int

  func validate() throws { try checkThreads(threads) }

  func run() throws {
    var problems = AnsweredProblems(pool: WorkerPool(threads: threads))
    try AnswerLoop.run { try problems.reply(to: $0, $1) }
  }
}

/// The problems that were prepared and not yet finished.
private struct AnsweredProblems {
  let pool: WorkerPool
  private var contenders: [String: any AnsweringContender] = [:]

  init(pool: WorkerPool) { self.pool = pool }

  mutating func reply(to request: PeerRequestHead, _ line: Data) throws -> any Encodable {
    func body<Body: Decodable>(_: Body.Type) throws -> Body {
      try JSONDecoder().decode(Body.self, from: line)
    }
    func contender(_ problem: String) throws -> any AnsweringContender {
      guard let contender = contenders[problem] else { throw Unsuitable(reason: "no problem \(problem)") }
      return contender
    }
    switch request.task {
    case "prepare":
      let asked = try body(PeerPreparation.self)
      let type: BenchType = try choice(asked.dtype)
      let contender = try Self.prepare(asked, type.element, on: pool)
      contenders[asked.problem] = contender
      let turn = try contender.turn(seconds: 0)
      return PeerReply(
        to: request.request, PeerPrepared(call: contender.plan ?? contender.name, seconds: turn.seconds))
    case "turn":
      let asked = try body(PeerTurn.self)
      return PeerReply(
        to: request.request, PeerTaken(try contender(asked.problem).turn(seconds: asked.seconds)))
    case "finish":
      let asked = try body(PeerFinish.self)
      try contender(asked.problem).writeOutput(to: asked.output)
      contenders[asked.problem] = nil
      return PeerReply(to: request.request, PeerFinished())
    default:
      throw Unsuitable(reason: "cannot do \(request.task)")
    }
  }

  private static func prepare<E: BenchElement>(
    _ asked: PeerPreparation, _: E.Type, on pool: WorkerPool
  ) throws -> any AnsweringContender {
    let inputs = try BenchInputs<E>(
      BenchmarkShape(asked.shape), passed: SafetensorsFile(path: asked.inputs))
    return try OperatorContender(inputs, .chosen, on: pool)
  }
}

/// What answers requests about one problem.
private protocol AnsweringContender: AttentionContender {
  func writeOutput(to path: String) throws
}

extension AnsweringContender {
  /// Warms up and calls it for so many seconds, at least once.
  fileprivate func turn(seconds: Double) throws -> Turn {
    let calls = timed().turn
    _ = try calls(min(seconds, Self.warmSeconds), Stopwatch.seconds)
    return try calls(seconds, Stopwatch.seconds)
  }

  /// Other processes have emptied the caches and slowed the clock: as long as other engines warm up.
  private static var warmSeconds: Double { 0.03 }
}

extension OperatorContender: AnsweringContender {
  fileprivate func writeOutput(to path: String) throws {
    var writer = SafetensorsWriter()
    try writer.add("Y", output)
    // Not beside and renamed: the file has no name, and the process that asked waits.
    try Data(try writer.bytes()).write(to: URL(fileURLWithPath: path))
  }
}

extension Unsuitable: CustomStringConvertible {
  var description: String { reason }
}
