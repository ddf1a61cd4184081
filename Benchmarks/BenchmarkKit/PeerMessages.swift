/// What a peer is asked for: one line of JSON. `Peers/peers.py` says what is answered.
package struct PeerRequest<Body: Encodable>: Encodable {
  /// What shall be done.
  let task: String
  /// What it takes.
  let body: Body
  /// The number that its reply has to have.
  var number = 0

  package init(_ task: String, _ body: Body) {
    self.task = task
    self.body = body
  }

  private enum CodingKeys: String, CodingKey {
    case number = "request"
    case task = "do"
  }

  package func encode(to encoder: any Encoder) throws {
    try body.encode(to: encoder)
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(number, forKey: .number)
    try container.encode(task, forKey: .task)
  }
}

/// Which request a line is, and what it asks for.
package struct PeerRequestHead: Decodable {
  package let request: Int
  /// What shall be done.
  package let task: String

  private enum CodingKeys: String, CodingKey {
    case request
    case task = "do"
  }
}

/// Every reply's number, and why the request could not be met.
package struct PeerReplyHead: Codable {
  package let request: Int
  package let error: String?

  package init(request: Int, error: String? = nil) {
    self.request = request
    self.error = error
  }
}

/// What a peer answers: its body with the request's number.
package struct PeerReply<Body: Encodable>: Encodable {
  let head: PeerReplyHead
  let body: Body

  /// The reply to the request of that number.
  package init(to request: Int, _ body: Body) {
    head = PeerReplyHead(request: request)
    self.body = body
  }

  package func encode(to encoder: any Encoder) throws {
    try head.encode(to: encoder)
    try body.encode(to: encoder)
  }
}

/// Why a peer did not do what it was asked for, in one line.
package enum PeerError: Error, Equatable, CustomStringConvertible {
  /// It answered that it cannot; the next request may do.
  case refused(String)
  /// Its process is gone, ended by itself or by us.
  case lost(String)

  package var description: String {
    switch self {
    case .refused(let reason), .lost(let reason): reason
    }
  }
}
