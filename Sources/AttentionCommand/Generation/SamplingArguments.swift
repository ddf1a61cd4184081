import ArgumentParser
import Transformer

/// How tokens are chosen, and when that ends.
struct SamplingArguments: ParsableArguments {
  @Option(parsing: .unconditional, help: "The most tokens that are generated.")
  var maxTokens = 128

  @Option(
    parsing: .unconditional,
    help: "What logits are divided by before the draw; 0 always takes the most probable token. (default: 0)")
  var temperature: DecimalNumber?

  @Option(
    parsing: .unconditional, help: ArgumentHelp("Draw from the n most probable tokens only.", valueName: "n"))
  var topK: Int?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Draw from the fewest tokens that have this probability together.", valueName: "p"))
  var topP: DecimalNumber?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Draw from tokens at least p times as probable as the most probable one.", valueName: "p"))
  var minP: DecimalNumber?

  @Option(
    parsing: .unconditional,
    help: "What the logits of the last 64 tokens are divided by, those below 0 multiplied by. (default: 1)")
  var repetitionPenalty: DecimalNumber?

  @Option(parsing: .unconditional, help: "The same seed draws the same tokens.")
  var seed: UInt64 = 0

  @Option(
    parsing: .unconditionalSingleValue,
    help: ArgumentHelp("End before this text; may be given several times.", valueName: "text"))
  var stop: [String] = []

  func validate() throws {
    if maxTokens < 0 { throw ValidationError("--max-tokens: \(maxTokens), expected 0 or more") }
    func check(_ flag: String, _ number: DecimalNumber?, _ expected: String, _ isRight: (Double) -> Bool)
      throws
    {
      guard let value = number?.value, !isRight(value) else { return }
      throw ValidationError("\(flag): \(value), expected \(expected)")
    }
    try check("--temperature", temperature, "a finite number of at least 0") { $0 >= 0 && $0.isFinite }
    if let topK, topK < 1 { throw ValidationError("--top-k: \(topK), expected at least 1") }
    try check("--top-p", topP, "a number above 0 and at most 1") { $0 > 0 && $0 <= 1 }
    try check("--min-p", minP, "a number from 0 to 1") { $0 >= 0 && $0 <= 1 }
    try check("--repetition-penalty", repetitionPenalty, "a finite number above 0") { $0 > 0 && $0.isFinite }
    if stop.contains(where: \.isEmpty) { throw ValidationError("--stop: empty, expected some characters") }
  }

  /// The options of the library.
  var options: SamplingOptions {
    SamplingOptions(
      temperature: temperature?.value ?? 0, topK: topK, topP: topP?.value, minP: minP?.value,
      repetitionPenalty: repetitionPenalty?.value ?? 1, seed: seed)
  }
}

/// A decimal number on a command line.
struct DecimalNumber: ExpressibleByArgument {
  let value: Double

  init?(argument: String) {
    guard let value = strictNumber(argument) else { return nil }
    self.value = value
  }
}
