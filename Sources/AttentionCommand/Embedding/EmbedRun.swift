import Attention
import Transformer

/// Texts on their way through a sentence encoder, and what there is to say of it afterwards.
struct EmbedRun {
  private let encoder: SentenceEncoder
  private let loadSeconds: Double
  private var textCount = 0
  private var tokenCount = 0
  private var computeSeconds = 0.0
  private var cutCount = 0
  private var firstCut: (text: Int, tokens: Int)?

  /// Texts that are encoded and written together: some seconds at most.
  private static let textsOfChunk = 1024

  init(_ encoder: SentenceEncoder, loadSeconds: Double) {
    self.encoder = encoder
    self.loadSeconds = loadSeconds
  }

  /// Encodes texts and hands them over as they are done, with the number of the first.
  mutating func embed(
    _ texts: [String], _ handOver: (ArraySlice<String>, Tensor<Float>, Int) throws -> Void
  ) throws {
    for first in stride(from: 0, to: texts.count, by: Self.textsOfChunk) {
      let chunk = texts[first..<min(first + Self.textsOfChunk, texts.count)]
      try handOver(chunk, vectors(of: chunk), first)
    }
  }

  /// All vectors: `[texts.count, width]`.
  mutating func embed(_ texts: [String]) throws -> Tensor<Float> {
    var parts: [Tensor<Float>] = []
    try embed(texts) { _, vectors, _ in parts.append(vectors) }
    return try Tensor.concatenate(parts, axis: 0)
  }

  private mutating func vectors(of texts: ArraySlice<String>) throws(ModelError) -> Tensor<Float> {
    let start = ContinuousClock.now
    let tokenized = encoder.tokenized(texts)
    let vectors = try encoder.encode(tokenized)
    computeSeconds += seconds(since: start)
    if firstCut == nil, let cut = tokenized.cut.first { firstCut = (textCount + cut.text, cut.tokens) }
    cutCount += tokenized.cut.count
    textCount += texts.count
    tokenCount += tokenized.tokenCount
    return vectors
  }

  /// Lines for stderr: a warning about texts that were cut, and rates.
  var summary: [String] {
    var lines: [String] = []
    if let firstCut {
      let count = cutCount == 1 ? "1 text has" : "\(cutCount) texts have"
      lines.append(
        "attention: warning: \(count) more than \(encoder.longest) tokens and lost the end; "
          + "the first is text \(firstCut.text + 1), of \(firstCut.tokens) tokens")
    }
    func rate(_ count: Int) -> Int { Int((Double(count) / max(computeSeconds, 1e-9)).rounded()) }
    func rounded(_ seconds: Double) -> Double { (seconds * 1000).rounded() / 1000 }
    lines.append(
      "\(textCount) \(textCount == 1 ? "sentence" : "sentences"), \(tokenCount) tokens in \(rounded(computeSeconds)) s "
        + "(\(rate(textCount)) sentences/s, \(rate(tokenCount)) tokens/s); "
        + "model loaded in \(rounded(loadSeconds)) s")
    return lines
  }
}
