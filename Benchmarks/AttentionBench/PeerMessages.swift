import BenchmarkKit

// What peers are asked, and what they answer.

/// To be computed: a problem, from its tensors to a call that is warm.
struct PeerPreparation: Codable {
  /// What later requests call it.
  let problem: String
  /// Its element type.
  let dtype: String
  /// A safetensors file: `Q`, `K`, `V`, `slopes` and `sinks` where the shape has them.
  let inputs: String
  /// Which keys are visible, and what else changes scores.
  let shape: ShapeRecord
}

/// Which of its ways the engine chose, and how long a call takes.
struct PeerPrepared: Codable {
  let call: String
  let seconds: Double
}

/// To be called for so many seconds.
struct PeerTurn: Codable {
  let problem: String
  let seconds: Double
}

/// What a call took, the mean of all.
struct PeerTaken: Codable {
  let seconds: Double
  let calls: Int
  let cpuSeconds: Double

  init(_ turn: Turn) { (seconds, calls, cpuSeconds) = (turn.seconds, turn.calls, turn.cpuSeconds) }

  private enum CodingKeys: String, CodingKey {
    case seconds, calls
    case cpuSeconds = "cpu_seconds"
  }
}

/// To be written, and forgotten.
struct PeerFinish: Codable {
  let problem: String
  /// The file that shall have the output, as `Y`.
  let output: String
}

/// It is written.
struct PeerFinished: Codable {}

/// What a peer says unasked once it is ready.
struct PeerGreeting: Codable { let version: String }
