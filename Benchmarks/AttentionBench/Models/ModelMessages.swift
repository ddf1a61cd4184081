// What an engine that runs a whole model is asked, and what it answers: the protocol of `Peers/model_peers.py`.

/// To be loaded in place of what was there.
struct ModelLoad: Codable {
  let model: String
  /// `f32`, `bf16`, `int8`, `q8_0`, or `file` for what the file stores.
  let weights: String
  /// What keys and values are stored in; the engine's own choice where nil.
  var cache: String?
  let context: Int
}

/// It is loaded, and how it computes.
struct ModelLoaded: Codable {
  let seconds: Double
  let call: String
}

/// To be read from an empty cache, up to the first token after it.
struct ModelPrompt: Codable { let tokens: [Int] }

/// The prompt was read.
struct ModelPrefilled: Codable {
  let seconds: Double
  let token: Int
}

/// So many tokens after a prompt are asked for, each the most likely one.
struct ModelContinuation: Codable {
  let tokens: [Int]
  let count: Int
}

/// The tokens, and the seconds that each after the first took.
struct ModelContinued: Codable {
  let secondsPrefill: Double
  let secondsEach: [Double]
  let tokens: [Int]

  private enum CodingKeys: String, CodingKey {
    case secondsPrefill = "seconds_prefill"
    case secondsEach = "seconds_each"
    case tokens
  }
}

/// Several prompts, to be continued together.
struct ModelBatch: Codable {
  let prompts: [[Int]]
  let count: Int
  /// Whether they are done together, or one after the other.
  let isTogether: Bool
}

/// All are done.
struct ModelBatched: Codable { let seconds: Double }

/// Texts of a file, a JSON array, of which embeddings are asked for.
struct ModelTexts: Codable { let file: String }

/// They are made.
struct ModelEmbedded: Codable {
  let seconds: Double
  let rows: Int
}

/// Of the process.
struct ModelMemory: Codable {
  let peakBytes: Int
  let residentBytes: Int

  private enum CodingKeys: String, CodingKey {
    case peakBytes = "peak_bytes"
    case residentBytes = "resident_bytes"
  }
}

/// A question without anything in it.
struct ModelQuestion: Codable {}
