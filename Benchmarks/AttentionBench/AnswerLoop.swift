import BenchmarkKit
import Foundation

/// What a child of this program does: greets, then answers each line on standard input until there are no more.
enum AnswerLoop {
  /// - Parameter reply: the answer to a request, of which it gets the whole line too. What it throws is the answer otherwise.
  static func run(_ reply: (PeerRequestHead, Data) throws -> any Encodable) throws {
    // Its parent measures what an interruption shall end.
    signal(SIGINT, SIG_IGN)
    try say(
      PeerReply(
        to: 0, PeerGreeting(version: SourceTree.revision(of: CommandLine.arguments[0]) ?? "unknown")))
    while let line = readLine() {
      let request = try JSONDecoder().decode(PeerRequestHead.self, from: Data(line.utf8))
      do {
        try say(reply(request, Data(line.utf8)))
      } catch {
        try say(PeerReplyHead(request: request.request, error: "\(error)"))
      }
    }
  }

  private static func say(_ reply: some Encodable) throws {
    try FileHandle.standardOutput.write(contentsOf: JSONEncoder().encode(reply) + Data("\n".utf8))
  }
}
