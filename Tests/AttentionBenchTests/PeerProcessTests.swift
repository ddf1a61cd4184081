import BenchmarkKit
import Foundation
import TestSupport
import Testing

/// Children of every kind, shell scripts all of them, and what is told of them.
@Suite struct PeerProcessTests {
  private struct Greeting: Decodable { let version: String }
  private struct Question: Encodable { var name = "x" }
  private struct Answer: Decodable { let value: Int }

  /// A peer that greets and goes on as the script says.
  private static func peer(_ script: String, greets: Bool = true) throws(PeerError) -> PeerProcess {
    let greeting = greets ? #"echo '{"request": 0, "version": "1"}'; "# : ""
    return try PeerProcess(executable: "/bin/sh", arguments: ["-c", greeting + script])
  }

  private static func greeted(_ script: String) throws(PeerError) -> PeerProcess {
    let peer = try peer(script)
    #expect(try peer.greeting(as: Greeting.self, within: 10).version == "1")
    return peer
  }

  private static func ask(_ peer: PeerProcess, within seconds: Double = 10) throws(PeerError) -> Int {
    try peer.ask(PeerRequest("count", Question()), for: Answer.self, within: seconds).value
  }

  /// What it throws, as a reason.
  private static func reason(_ body: () throws(PeerError) -> some Any) -> PeerError? {
    do throws(PeerError) {
      _ = try body()
      return nil
    } catch {
      return error
    }
  }

  @Test func questionsAreAnsweredOneByOne() throws {
    let peer = try Self.greeted(
      #"n=0; while read line; do n=$((n+1)); echo "{\"request\": $n, \"value\": $((n*n))}"; done"#)
    #expect(try (1...5).map { _ in try Self.ask(peer) } == [1, 4, 9, 16, 25])
    #expect(peer.isRunning)
  }

  @Test func requestsAreOneLineWithANumberAndATask() throws {
    // It answers each word that it expects and finds with a digit.
    let peer = try Self.greeted(
      #"read line; n=0; for word in '"do":"count"' '"name":"x"' '"request":1'; do "#
        + #"case "$line" in *"$word"*) n=$((n*10+1));; esac; done; echo "{\"request\": 1, \"value\": $n}"; read line"#
    )
    #expect(try Self.ask(peer) == 111)
  }

  @Test func aRefusalLeavesItRunning() throws {
    let peer = try Self.greeted(
      #"read line; printf '{"request": 1, "error": "cannot\\n do \\u001b[1m that"}\n'; "#
        + #"read line; echo '{"request": 2, "value": 3}'; read line"#)
    #expect(
      Self.reason { () throws(PeerError) in try Self.ask(peer) } == .refused("cannot do [1m that"))
    #expect(try Self.ask(peer) == 3)
  }

  @Test(
    arguments: [
      ("exit 3", "exit code 3"),
      ("echo 'No module named torch' >&2; exit 1", "it said \"No module named torch\""),
      ("kill -SEGV $$", "signal 11"),
      ("exec >&-; sleep 60", "closed its output"),
      ("echo garbage; sleep 60", "it answered \"garbage\", expected a reply in JSON"),
      (#"echo '{"request": 7, "value": 1}'; sleep 60"#, "it answered request 7, expected 0"),
      (#"echo '{"request": 0}'; sleep 60"#, "something is missing"),
      ("sleep 60", "no answer within 0.500 s"),
      ("head -c 3000000 /dev/zero | tr '\\0' x; sleep 60", "a line of more than 65536 bytes"),
      ("printf '\\377\\376\\n'; sleep 60", "expected a reply in JSON"),
    ])
  func whatGoesWrongAtTheStartIsTold(script: String, words: String) throws {
    let peer = try Self.peer(script, greets: false)
    let error = Self.reason { () throws(PeerError) in try peer.greeting(as: Greeting.self, within: 0.5) }
    guard case .lost(let reason) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(reason.contains(words), "\(reason)")
    #expect(!reason.contains("\n") && reason.count < 300)
    #expect(!peer.isRunning)
    // It stays lost, for the same reason, and nobody waits for it again.
    #expect(Self.reason { () throws(PeerError) in try Self.ask(peer) } == error)
  }

  @Test(
    arguments: [
      ("read line; echo 'out of memory' >&2; kill -KILL $$", "signal 9; it said \"out of memory\""),
      ("read line; sleep 60", "no answer"),
      (#"read line; echo '{"request": 1, "value": NaN}'; sleep 60"#, "expected a reply in JSON"),
      ("exit 0", "exit code 0"),
    ])
  func whatGoesWrongLaterIsTold(script: String, words: String) throws {
    let peer = try Self.greeted(script)
    let error = Self.reason { () throws(PeerError) in try Self.ask(peer, within: 0.5) }
    #expect("\(error.map { "\($0)" } ?? "")".contains(words), "\(String(describing: error))")
    #expect(!peer.isRunning)
  }

  /// Neither side may wait for the other with full pipes.
  @Test func muchTalkOnStandardErrorBlocksNobody() throws {
    let peer = try Self.greeted(
      #"head -c 1000000 /dev/zero | tr '\0' 'x' >&2; read line; head -c 1000000 /dev/zero >&2; "#
        + #"echo '{"request": 1, "value": 5}'; read line"#)
    #expect(try Self.ask(peer) == 5)
  }

  @Test func aProgramThatDoesNotExistIsLost() {
    let error = Self.reason { () throws(PeerError) in
      try PeerProcess(executable: "/nonesuch/python", arguments: [])
    }
    #expect(error == .lost("/nonesuch/python cannot be started"))
  }

  /// Not it, nor what it started: each leaves its number in a file.
  @Test(arguments: ["stop", "hang", "forget"]) func nothingIsLeftRunning(how: String) throws {
    let file = try TemporaryFile()
    var peer: PeerProcess? = try Self.peer(
      "sleep 60 & echo $$ $! > \(file.url.path); "
        + #"echo '{"request": 0, "version": "1"}'; trap '' TERM INT HUP; wait; sleep 60"#, greets: false)
    _ = try peer?.greeting(as: Greeting.self, within: 10)
    let numbers = try file.text().split(whereSeparator: \.isWhitespace).compactMap { Int32($0) }
    try #require(numbers.count == 2)
    for number in numbers { #expect(kill(number, 0) == 0) }
    switch how {
    case "stop": peer?.stop()
    case "hang": _ = Self.reason { () throws(PeerError) in try Self.ask(peer!, within: 0.1) }
    default: peer = nil
    }
    // The child itself is reaped. The grandchild is init's, which may take a moment, or leave it a zombie.
    #expect(kill(numbers[0], 0) != 0)
    let deadline = Date(timeIntervalSinceNow: 5)
    while Self.isAlive(numbers[1]) && Date() < deadline { usleep(10_000) }
    #expect(!Self.isAlive(numbers[1]))
  }

  private static func isAlive(_ number: Int32) -> Bool {
    guard let status = try? String(contentsOfFile: "/proc/\(number)/stat", encoding: .utf8) else {
      return false
    }
    return !status.contains(") Z ")
  }
}
