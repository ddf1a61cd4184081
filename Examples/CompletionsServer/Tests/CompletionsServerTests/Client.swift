import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix

/// One request a connection, and what came back.
struct Client {
  struct Reply {
    var status = 0
    var headers = HTTPHeaders()
    var text = ""

    /// The value at a path of keys and indices.
    subscript(_ path: Any...) -> Any? {
      var value = try? JSONSerialization.jsonObject(with: Data(text.utf8))
      for key in path {
        if let key = key as? String {
          value = (value as? [String: Any])?[key]
        } else if let index = key as? Int, let list = value as? [Any], list.indices.contains(index) {
          value = list[index]
        } else {
          value = nil
        }
      }
      return value
    }

    /// What the events of a stream say.
    var events: [String] {
      text.components(separatedBy: "\n\n").filter { !$0.isEmpty }.map {
        $0.hasPrefix("data: ") ? String($0.dropFirst(6)) : "no event: \($0)"
      }
    }
  }

  let port: Int

  func get(_ path: String) async throws -> Reply { try await send(.GET, path, nil) }

  func post(_ path: String, _ body: [String: any Sendable]) async throws -> Reply {
    try await send(.POST, path, JSONSerialization.data(withJSONObject: body))
  }

  func send(_ method: HTTPMethod, _ path: String, _ body: Data?) async throws -> Reply {
    let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try channel.pipeline.syncOperations.addHTTPClientHandlers()
          return try NIOAsyncChannel<HTTPClientResponsePart, HTTPClientRequestPart>(
            wrappingChannelSynchronously: channel)
        }
      }
    return try await connection.executeThenClose { parts, output in
      var head = HTTPRequestHead(version: .http1_1, method: method, uri: path)
      head.headers.add(name: "Host", value: "127.0.0.1")
      if let body { head.headers.add(name: "Content-Length", value: String(body.count)) }
      try await output.write(.head(head))
      if let body { try await output.write(.body(.byteBuffer(ByteBuffer(bytes: body)))) }
      try await output.write(.end(nil))
      var reply = Reply()
      for try await part in parts {
        switch part {
        case .head(let head): (reply.status, reply.headers) = (Int(head.status.code), head.headers)
        case .body(let bytes): reply.text += String(buffer: bytes)
        case .end: return reply
        }
      }
      return reply
    }
  }

  /// Sends bytes as they are, and gives what comes until so many bytes or the end; then the connection is cut.
  func raw(_ text: String, readingUpTo limit: Int = .max) async throws -> String {
    let connection = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
      .connect(host: "127.0.0.1", port: port) { channel in
        channel.eventLoop.makeCompletedFuture {
          try NIOAsyncChannel<ByteBuffer, ByteBuffer>(wrappingChannelSynchronously: channel)
        }
      }
    return try await connection.executeThenClose { received, output in
      try await output.write(ByteBuffer(string: text))
      var result = ""
      if limit == 0 { return result }
      for try await bytes in received {
        result += String(buffer: bytes)
        if result.utf8.count >= limit { break }
      }
      return result
    }
  }
}
