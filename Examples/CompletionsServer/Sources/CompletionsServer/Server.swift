import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// HTTP/1.1 for a ``CompletionsAPI``: connections, limits, answers.
final class Server: Sendable {
  private typealias Connection = NIOAsyncChannel<HTTPServerRequestPart, HTTPServerResponsePart>

  /// The most bytes of a body.
  static let bodyLimit = 1 << 20
  /// The most connections at once; well below the files that a process may have open.
  static let connectionLimit = 512
  /// How long a connection may take to send its next request.
  static let patience = TimeAmount.seconds(60)

  private let api: CompletionsAPI
  private let connections = Atomic(0)

  init(api: CompletionsAPI) { self.api = api }

  /// Serves until the task is cancelled, which ends all requests.
  ///
  /// - Parameter started: called with the port once connections are taken.
  /// - Throws: where host and port cannot be used.
  func run(host: String, port: Int, started: @Sendable (Int) -> Void) async throws {
    let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
      .bind(host: host, port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          var limits = NIOHTTPDecoderLimitConfiguration()
          (limits.maxHeaderFieldSize, limits.maxHeaderListSize, limits.maxHeaderFieldCount) = (
            8192, 32_768, 64
          )
          try channel.pipeline.syncOperations.configureHTTPServerPipeline(
            withEncoderConfiguration: .init(), withDecoderLimitConfiguration: limits)
          return try Connection(wrappingChannelSynchronously: channel)
        }
      }
    started(listener.channel.localAddress?.port ?? port)
    do {
      try await withThrowingDiscardingTaskGroup { group in
        try await listener.executeThenClose { connections in
          for try await connection in connections { group.addTask { await self.serve(connection) } }
        }
      }
    } catch is CancellationError {
    }
  }

  /// Answers the requests of a connection, one after the other, until one side closes it.
  private func serve(_ connection: Connection) async {
    defer { connections.subtract(1, ordering: .relaxed) }
    let isWelcome = connections.add(1, ordering: .relaxed).newValue <= Self.connectionLimit
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        // What is thrown says that the client is gone or writes no HTTP: nobody is there to hear of it.
        try? await connection.executeThenClose { parts, output in
          var parts = parts.makeAsyncIterator()
          while isWelcome, let request = try await Self.request(&parts, connection.channel) {
            try await self.respond(to: request, output)
            if !request.keepsConnection { return }
          }
        }
      }
      // A client that is gone wants no answer: its requests end with the task that waits for their tokens.
      group.addTask { try? await connection.channel.closeFuture.get() }
      await group.next()
      group.cancelAll()
    }
  }

  // MARK: - Requests

  private struct Request {
    let head: HTTPRequestHead
    /// Nil where it is too large.
    let body: Data?

    /// The rest of a body that is too large is not read as the next request, and before HTTP/1.1 only the connection's end tells where
    /// a stream of events ends.
    var keepsConnection: Bool { head.isKeepAlive && body != nil && head.version == .http1_1 }
  }

  /// The next request; nil where none comes.
  private static func request(
    _ parts: inout NIOAsyncChannelInboundStream<HTTPServerRequestPart>.AsyncIterator, _ channel: any Channel
  ) async throws -> Request? {
    // Whoever sends a byte a minute must not keep a connection for ever.
    let deadline = channel.eventLoop.scheduleTask(in: patience) { channel.close(promise: nil) }
    defer { deadline.cancel() }
    var head: HTTPRequestHead?
    var body = Data()
    var size = 0
    while let part = try await parts.next() {
      switch part {
      case .head(let received): head = received
      case .body(let bytes):
        size += bytes.readableBytes
        if size <= bodyLimit { body.append(contentsOf: bytes.readableBytesView) }
        // A client that still sends would not see the answer, so some of what is too much is read.
        if size > 8 * bodyLimit, let head { return Request(head: head, body: nil) }
      case .end:
        if let head { return Request(head: head, body: size <= bodyLimit ? body : nil) }
      }
    }
    return nil
  }

  // MARK: - Answers

  private func respond(
    to request: Request, _ output: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
  ) async throws {
    do {
      guard let body = request.body else {
        throw RequestError(
          status: .payloadTooLarge, message: "the body has more than \(Self.bodyLimit) bytes")
      }
      let path = String(request.head.uri.prefix { $0 != "?" })
      switch try await api.answer(request.head.method, path, body) {
      case .json(let text): try await send(.ok, text, for: request, output)
      case .events(let write):
        var head = Self.head(.ok, "text/event-stream", for: request)
        head.headers.add(name: "Cache-Control", value: "no-cache")
        try await output.write(.head(head))
        try await write { event in
          try await output.write(.body(.byteBuffer(ByteBuffer(string: "data: \(event)\n\n"))))
        }
        try await output.write(.end(nil))
      }
    } catch let error as RequestError {
      try await send(error.status, text(of: error.json), allow: error.allowed, for: request, output)
    }
  }

  private func send(
    _ status: HTTPResponseStatus, _ text: String, allow: HTTPMethod? = nil, for request: Request,
    _ output: NIOAsyncChannelOutboundWriter<HTTPServerResponsePart>
  ) async throws {
    let body = ByteBuffer(string: text + "\n")
    var head = Self.head(status, "application/json", for: request)
    head.headers.add(name: "Content-Length", value: String(body.readableBytes))
    if let allow { head.headers.add(name: "Allow", value: allow.rawValue) }
    try await output.write(.head(head))
    if request.head.method != .HEAD { try await output.write(.body(.byteBuffer(body))) }
    try await output.write(.end(nil))
  }

  private static func head(_ status: HTTPResponseStatus, _ type: String, for request: Request)
    -> HTTPResponseHead
  {
    var head = HTTPResponseHead(version: request.head.version, status: status)
    head.headers.add(name: "Content-Type", value: type)
    if !request.keepsConnection { head.headers.add(name: "Connection", value: "close") }
    return head
  }
}
