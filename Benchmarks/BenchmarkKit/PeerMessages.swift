/// What a peer is asked for: one line of JSON. `Peers/peers.py` says what is answered.
package struct PeerRequest<Body: Encodable>: Encodable {
  /// What shall be done.
  let task: String
  /// What it takes.
  let body: Body
  /// The number that its reply has to have.
  var number = 0

  /// A request for `task`.
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

/// Every reply's number, and why the request could not be met.
struct PeerReplyHead: Decodable {
  let request: Int
  let error: String?
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
