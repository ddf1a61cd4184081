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

// MARK: - What is asked, and what is answered

/// To be computed: a problem, from its tensors to a call that is warm.
package struct PeerPreparation: Codable {
  /// What later requests call it.
  package let problem: String
  /// Its element type.
  package let dtype: String
  /// A safetensors file: `Q`, `K`, `V`, `slopes` and `sinks` where the shape has them.
  package let inputs: String
  /// Which keys are visible, and what else changes scores.
  package let shape: ShapeRecord

  package init(problem: String, dtype: String, inputs: String, shape: ShapeRecord) {
    self.problem = problem
    self.dtype = dtype
    self.inputs = inputs
    self.shape = shape
  }
}

/// Which of its ways the engine chose, and how long a call takes.
package struct PeerPrepared: Codable {
  package let call: String
  package let seconds: Double

  package init(call: String, seconds: Double) {
    self.call = call
    self.seconds = seconds
  }
}

/// To be called for so many seconds.
package struct PeerTurn: Codable {
  package let problem: String
  package let seconds: Double

  package init(problem: String, seconds: Double) {
    self.problem = problem
    self.seconds = seconds
  }
}

/// What a call took, the mean of all.
package struct PeerTaken: Codable {
  package let seconds: Double
  package let calls: Int
  package let cpuSeconds: Double

  package init(_ turn: Turn) {
    seconds = turn.seconds
    calls = turn.calls
    cpuSeconds = turn.cpuSeconds
  }

  private enum CodingKeys: String, CodingKey {
    case seconds, calls
    case cpuSeconds = "cpu_seconds"
  }
}

/// To be written, and forgotten.
package struct PeerFinish: Codable {
  package let problem: String
  /// The file that shall have the output, as `Y`.
  package let output: String

  package init(problem: String, output: String) {
    self.problem = problem
    self.output = output
  }
}

/// It is written.
package struct PeerFinished: Codable {
  package init() {}
}

/// What a peer says unasked once it is ready.
package struct PeerGreeting: Codable {
  package let version: String

  package init(version: String) { self.version = version }
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
