import BenchmarkKit
import Foundation

/// An engine with a model in one storage type: a row of the table, in a process of its own.
final class ModelContender {
  /// `ours int8`, say.
  let name: String
  let load: ModelLoad
  private let process: PeerProcess
  private(set) var version = ""
  private(set) var loaded: ModelLoaded?
  /// Why it is not measured; nil while it is.
  private(set) var refusal: String?

  /// Loading a model takes other engines up to tens of seconds; a prompt of thousands of tokens as well.
  private static let patience = 300.0

  /// - Throws: ``PeerError`` where the process cannot be started.
  init(_ name: String, executable: String, arguments: [String], load: ModelLoad) throws(PeerError) {
    self.name = name
    self.load = load
    process = try PeerProcess(executable: executable, arguments: arguments)
  }

  /// Waits until it is there, and has it load its model. What it refuses stands in ``refusal``.
  func start() {
    do throws(PeerError) {
      version = try process.greeting(
        as: PeerGreeting.self, within: Self.patience, unless: { Interruption.isRequested }
      ).version
      loaded = try process.ask(
        PeerRequest("load", load), for: ModelLoaded.self, within: Self.patience,
        unless: { Interruption.isRequested })
    } catch {
      refusal = "\(error)"
    }
  }

  /// Asks for something; nil where it cannot, and from then on.
  func ask<Reply: Decodable>(_ task: String, _ body: some Encodable, for _: Reply.Type) -> Reply? {
    guard refusal == nil, !Interruption.isRequested else { return nil }
    do throws(PeerError) {
      return try process.ask(
        PeerRequest(task, body), for: Reply.self, within: Self.patience,
        unless: { Interruption.isRequested })
    } catch {
      refusal = "\(error)"
      return nil
    }
  }

  /// Ends its process.
  func stop() { process.stop() }
}
