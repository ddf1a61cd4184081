import Foundation

/// A child process that answers lines of JSON with lines of JSON, one at a time.
///
/// Whatever it does, a caller waits no longer than it said, gets an error of one line, and keeps no process: one that ends, stays silent or
/// answers nonsense is killed with all that it started, and reaped. What it writes to standard error is read while a reply is
/// waited for, and its last line is part of the reason.
package final class PeerProcess {
  /// No reply is longer.
  private static let mostReplyBytes = 1 << 16

  private let process: Process
  private let requests: Int32
  private var replies: LinePipe
  private var complaints: LinePipe
  private var requestCount = 0
  /// Why it is gone; nil while it runs.
  private var end: PeerError?

  /// Starts a program.
  ///
  /// - Throws: ``PeerError/lost(_:)`` where it cannot be started.
  package init(executable: String, arguments: [String]) throws(PeerError) {
    var sockets: [Int32] = [-1, -1]
    // A socket, whose sender can ask not to be ended by SIGPIPE where nobody reads any more.
    guard socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &sockets) == 0 else {
      throw .lost("no socket for it: \(String(cString: strerror(errno)))")
    }
    let (output, errors) = (Pipe(), Pipe())
    process = Process()
    process.executableURL = URL(fileURLWithPath: executable)
    process.arguments = arguments
    process.standardInput = FileHandle(fileDescriptor: sockets[1], closeOnDealloc: true)
    process.standardOutput = output
    process.standardError = errors
    requests = sockets[0]
    replies = LinePipe(output.fileHandleForReading)
    complaints = LinePipe(errors.fileHandleForReading)
    do {
      try process.run()
    } catch {
      close(requests)
      throw .lost("\(executable) cannot be started")
    }
    // Its ends are its own: the pipes end with it.
    process.standardInput = nil
    try? output.fileHandleForWriting.close()
    try? errors.fileHandleForWriting.close()
  }

  deinit {
    stop()
    close(requests)
  }

  /// Whether it can be asked.
  package var isRunning: Bool { end == nil }

  /// What it says unasked once it is ready.
  ///
  /// - Parameter isInterrupted: asked while it is waited for; once it says yes, the process is ended.
  package func greeting<Reply: Decodable>(
    as _: Reply.Type, within seconds: Double, unless isInterrupted: (() -> Bool)? = nil
  ) throws(PeerError) -> Reply {
    try reply(within: seconds, unless: isInterrupted)
  }

  /// Asks and waits for the answer.
  ///
  /// - Parameter isInterrupted: asked while the answer is waited for; once it says yes, the process is ended.
  /// - Throws: ``PeerError/refused(_:)`` where it answers with an error, ``PeerError/lost(_:)`` where it gives no answer; then
  ///   and ever after.
  package func ask<Reply: Decodable>(
    _ request: PeerRequest<some Encodable>, for _: Reply.Type, within seconds: Double,
    unless isInterrupted: (() -> Bool)? = nil
  ) throws(PeerError) -> Reply {
    if let end { throw end }
    requestCount += 1
    var request = request
    request.number = requestCount
    guard let line = try? JSONEncoder().encode(request) else { throw .refused("the request is no JSON") }
    try send(line + Data("\n".utf8))
    return try reply(within: seconds, unless: isInterrupted)
  }

  /// Ends it, and waits until it has ended.
  package func stop() {
    guard end == nil else { return }
    end = .lost("it was ended")
    kill()
  }
}

// MARK: - Lines

extension PeerProcess {
  private func send(_ line: Data) throws(PeerError) {
    let sent = line.withUnsafeBytes {
      // Requests are short, and the one before was answered: a full buffer means that it does not read.
      Glibc.send(requests, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL) | Int32(MSG_DONTWAIT))
    }
    // What it wrote before it closed its input says more than that it did.
    if sent != line.count && errno != EPIPE && errno != ECONNRESET {
      throw lose("it does not read its requests")
    }
  }

  private func reply<Reply: Decodable>(within seconds: Double, unless isInterrupted: (() -> Bool)?)
    throws(PeerError) -> Reply
  {
    let line = try nextLine(within: seconds, unless: isInterrupted)
    let decoder = JSONDecoder()
    guard let head = try? decoder.decode(PeerReplyHead.self, from: line) else {
      throw lose("it answered \(quoted(String(decoding: line, as: UTF8.self))), expected a reply in JSON")
    }
    guard head.request == requestCount else {
      throw lose("it answered request \(head.request), expected \(requestCount)")
    }
    if let error = head.error {
      throw .refused(
        onOneLine(error, most: 200).split(separator: " ").joined(separator: " "))
    }
    guard let reply = try? decoder.decode(Reply.self, from: line) else {
      throw lose(
        "it answered \(quoted(String(decoding: line, as: UTF8.self))), in which something is missing")
    }
    return reply
  }

  private func nextLine(within seconds: Double, unless isInterrupted: (() -> Bool)?) throws(PeerError) -> Data
  {
    // A signal that comes between the question and the wait does not end the wait.
    let step = isInterrupted == nil ? 60 : 0.1
    let deadline = Stopwatch.seconds() + seconds
    while true {
      if let line = replies.takeLine() { return line }
      if replies.buffered > Self.mostReplyBytes {
        throw lose("it answered with a line of more than \(Self.mostReplyBytes) bytes")
      }
      if replies.hasEnded { throw lose(nil) }
      let left = deadline - Stopwatch.seconds()
      guard left > 0 else { throw lose("no answer within \(short(seconds)) s") }
      if isInterrupted?() == true { throw lose("it was interrupted") }
      wait(min(left, step))
    }
  }

  /// Until either pipe has something, at most so long; takes what is there.
  private func wait(_ seconds: Double) {
    var files = [replies, complaints].map {
      pollfd(fd: $0.hasEnded ? -1 : $0.descriptor, events: Int16(POLLIN), revents: 0)
    }
    guard poll(&files, 2, Int32((seconds * 1e3).rounded(.up))) > 0 else { return }
    if files[0].revents != 0 { replies.read() }
    if files[1].revents != 0 {
      complaints.read()
      complaints.keepLast(4096)
    }
  }
}

// MARK: - End

extension PeerProcess {
  /// Ends it. Where no reason is given it ended by itself, and how is the reason.
  private func lose(_ reason: String?) -> PeerError {
    if reason == nil {
      // It closed its output, and takes a moment to end.
      let deadline = Stopwatch.seconds() + 1
      while process.isRunning && Stopwatch.seconds() < deadline { usleep(1000) }
    }
    let hasEndedItself = !process.isRunning
    kill()
    let how =
      switch (hasEndedItself, process.terminationReason) {
      case (false, _): "it closed its output"
      case (true, .uncaughtSignal): "it was ended by signal \(process.terminationStatus)"
      case (true, _): "it ended with exit code \(process.terminationStatus)"
      }
    complaints.read()
    let last = complaints.lastLine.map { "; it said \(quoted($0, most: 160))" } ?? ""
    let error = PeerError.lost((reason ?? how) + last)
    end = error
    return error
  }

  /// Kills it and what it started, and waits for it.
  private func kill() {
    let identifier = process.processIdentifier
    // Foundation gives each child a group of its own; never ours, should that change.
    if getpgid(identifier) == identifier {
      Glibc.kill(-identifier, SIGKILL)
    } else if process.isRunning {
      Glibc.kill(identifier, SIGKILL)
    }
    process.waitUntilExit()
  }
}
