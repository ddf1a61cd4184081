import Foundation
import Transformer

/// What `--format json` says of one prompt, on one line.
struct GenerationResult: Encodable {
  var promptTokens: [Int]
  var tokens: [Int] = []
  var text = ""
  var topLogits: [TopLogit] = []
  var negativeLogLikelihood: Double?
  var timings: GenerationTimings
  var loadSeconds: Double
  /// The share of keys' low bytes that were read; nil where no tolerance was given.
  var lowBytesRead: Double?
  var error: String?

  /// A token and its logit, an array of two.
  struct TopLogit: Encodable {
    let token: Int
    let logit: Float

    func encode(to encoder: any Encoder) throws {
      var container = encoder.unkeyedContainer()
      try container.encode(token)
      try container.encode(logit)
    }
  }

  private enum Key: String, CodingKey {
    case promptTokens = "prompt_tokens"
    case tokens, text
    case topLogits = "top_logits"
    case negativeLogLikelihood = "nll"
    case lowBytesRead = "low_bytes_read"
    case timings, error
  }

  private enum TimingKey: String, CodingKey {
    case load, prompt
    case firstToken = "first_token"
    case generation
    case promptRate = "prompt_tokens_per_second"
    case generationRate = "generated_tokens_per_second"
  }

  func encode(to encoder: any Encoder) throws {
    var fields = encoder.container(keyedBy: Key.self)
    try fields.encode(promptTokens, forKey: .promptTokens)
    try fields.encodeIfPresent(error, forKey: .error)
    try fields.encode(tokens, forKey: .tokens)
    try fields.encode(text, forKey: .text)
    try fields.encode(topLogits, forKey: .topLogits)
    // `null` is said: who reads it need not know which fields may be missing.
    try fields.encode(
      negativeLogLikelihood.flatMap { $0.isFinite ? $0 : nil }, forKey: .negativeLogLikelihood)
    try fields.encodeIfPresent(lowBytesRead, forKey: .lowBytesRead)
    var times = fields.nestedContainer(keyedBy: TimingKey.self, forKey: .timings)
    try times.encode(loadSeconds, forKey: .load)
    try times.encode(timings.promptSeconds, forKey: .prompt)
    try times.encode(timings.firstToken, forKey: .firstToken)
    try times.encode(timings.generationSeconds, forKey: .generation)
    try times.encode(timings.promptRate, forKey: .promptRate)
    try times.encode(timings.generationRate, forKey: .generationRate)
  }

  /// The line, with its line break.
  func line() throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.withoutEscapingSlashes, .sortedKeys]
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return String(decoding: try encoder.encode(self), as: UTF8.self) + "\n"
  }
}
