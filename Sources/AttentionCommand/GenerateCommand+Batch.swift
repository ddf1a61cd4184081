import ArgumentParser
import Foundation
import TensorFiles
import Transformer

extension GenerateCommand {
  /// Tokens of a pool when nobody says how many: some gigabytes with models of some billion weights.
  private static let largestPool = 65536

  /// The prompts of a file: each line is one, or an object that has it.
  ///
  /// - Throws: ``ModelError`` where there are none, or a line that begins as an object is none with a prompt.
  func prompts(of text: String, path: String) throws(ModelError) -> [String] {
    // A line feed after a carriage return is one Character with it: lines are cut as scalars.
    var lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
    if lines.last?.isEmpty == true { lines.removeLast() }
    guard !lines.isEmpty else { throw ModelError(path, "empty, expected a prompt on each line") }
    let isJSON = lines.allSatisfy { $0.isEmpty || $0.first == "{" } && lines.contains { !$0.isEmpty }
    var prompts: [String] = []
    for (index, line) in lines.enumerated() {
      let line = line.last == "\r" ? line.dropLast() : line
      if !isJSON { prompts.append(String(line)); continue }
      if line.isEmpty { continue }
      guard let object = try? JSONDecoder().decode(PromptLine.self, from: Data(String(line).utf8)) else {
        throw ModelError(path, "line \(index + 1) is no object with a text \"prompt\"")
      }
      prompts.append(object.prompt)
    }
    return prompts
  }

  private struct PromptLine: Decodable {
    let prompt: String
  }

  /// Generates from several prompts together.
  func runBatch(model path: String, prompts: [String]) throws {
    let (model, loadSeconds) = try open(path, on: storage.makeWorkers())
    // What is wrong with one prompt is no reason to leave the others.
    let encoded = prompts.map { text in
      Result<[Int], ModelError> { () throws(ModelError) in try promptTokens(text, model) }
    }
    let tokens = encoded.map { (try? $0.get()) ?? [] }
    let generator = try BatchGenerator(model, options, poolTokens: poolSize(tokens, model))
    var output = BatchOutput(format, tokens, loadSeconds: loadSeconds)
    Interruption.note()
    for (index, prompt) in encoded.enumerated() {
      if case .failure(let error) = prompt { try output.add(index, .failure(error)) }
    }
    let indices = encoded.indices.filter { (try? encoded[$0].get()) != nil }
    let start = ContinuousClock.now
    var writeError: (any Error)?
    try generator.generate(
      indices.map { tokens[$0] }, scoring: format == .json,
      shouldGoOn: { !Interruption.came && writeError == nil },
      onResult: { index, result in
        do { try output.add(indices[index], result) } catch { writeError = error }
      })
    if let writeError { throw writeError }
    if Interruption.came { try output.writeRest() }
    output.printRates(seconds: seconds(since: start))
    if Interruption.came { throw ExitCode(130) }
    if output.failed > 0 { throw ExitCode.failure }
  }

  private func poolSize(_ prompts: [[Int]], _ model: LanguageModel) -> Int {
    if let poolTokens { return poolTokens }
    let context = model.decoder.context
    let most = max(Self.largestPool, context)
    var sum = 0
    for prompt in prompts {
      let tokens = min(context, prompt.count + min(context, sampling.maxTokens))
      // Whole pages of each.
      sum += (tokens + 63) / 64 * 64 + 64
      if sum >= most { return most }
    }
    return max(64, sum)
  }
}

/// Results of a batch, written in the order of their prompts.
private struct BatchOutput {
  private let format: GenerateCommand.Format
  private let prompts: [[Int]]
  private let loadSeconds: Double
  private var finished: [Int: Result<BatchResult, ModelError>] = [:]
  private var written = 0
  private var generated = 0
  private(set) var failed = 0

  init(_ format: GenerateCommand.Format, _ prompts: [[Int]], loadSeconds: Double) {
    (self.format, self.prompts, self.loadSeconds) = (format, prompts, loadSeconds)
  }

  /// Takes a result, and writes those whose turn it is.
  mutating func add(_ index: Int, _ result: Result<BatchResult, ModelError>) throws {
    finished[index] = result
    while let result = finished.removeValue(forKey: written) {
      try write(result, of: written)
      written += 1
    }
  }

  /// Writes what is finished behind prompts that are not; each of those has an error in its place, so that lines stay those of prompts.
  mutating func writeRest() throws {
    guard let last = finished.keys.max() else { return }
    while written <= last {
      let unfinished = ModelError("prompt", "interrupted before its text was finished")
      try write(finished.removeValue(forKey: written) ?? .failure(unfinished), of: written)
      written += 1
    }
  }

  private mutating func write(_ outcome: Result<BatchResult, ModelError>, of index: Int) throws {
    var line = GenerationResult(
      promptTokens: prompts[index], timings: GenerationTimings(), loadSeconds: loadSeconds)
    switch outcome {
    case .success(let result):
      generated += result.tokens.count
      line.tokens = result.tokens
      line.text = result.text
      line.topLogits = result.topLogits.map { .init(token: $0.token, logit: $0.logit) }
      line.negativeLogLikelihood = result.negativeLogLikelihood
      line.timings = result.timings
    case .failure(let error):
      failed += 1
      line.error = error.description
      printError("Error: prompt \(index + 1): \(error)")
    }
    switch format {
    case .text: try printOutput(line.text + "\n")
    case .json: try printOutput(line.line())
    }
  }

  /// Tokens of all prompts that were answered, a second.
  func printRates(seconds: Double) {
    let rate = seconds > 0 ? (Double(generated) / seconds * 10).rounded() / 10 : 0
    printError("\(written - failed) prompts, \(generated) generated (\(rate)/s)")
  }
}
