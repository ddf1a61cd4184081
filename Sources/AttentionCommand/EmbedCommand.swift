import ArgumentParser
import Attention
import TensorFiles
import Transformer

/// `attention embed MODEL [TEXT…|-]`: texts in, a vector of each out.
struct EmbedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "embed",
    abstract: "Make a vector of each text, by a sentence encoder.",
    discussion: """
      MODEL is a folder of sentence-transformers with a BERT in it (modules.json, config.json, safetensors, tokenizer.json), such as \
      all-MiniLM-L6-v2, or a GGUF file of a BERT. Each TEXT has one vector; - or none reads standard input, where each line is a text, \
      an empty line too. Texts with more tokens than the model takes lose their ends, which a warning says.

      --format jsonl writes a line {"text": …, "embedding": […]} for each text. npy and safetensors write one float32 matrix \
      [texts, width], the latter under the name embeddings.

      EXAMPLES:
        attention embed all-minilm-l6-v2 "How do I log in?" "I forgot my password."
        attention embed all-minilm-l6-v2 < sentences.txt > vectors.jsonl
        attention embed all-minilm-l6-v2 --format npy -o out.npy < sentences.txt
        attention embed all-minilm-l6-v2 --similar 10 < sentences.txt
      """)

  /// How vectors are written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case jsonl
    case npy
    case safetensors
  }

  /// More pairs than this are not listed.
  private static let mostPairs = 100_000

  @Argument(help: ArgumentHelp("A folder or a GGUF file.", valueName: "model"), completion: .directory)
  var model: String

  @Argument(help: ArgumentHelp("The texts.", valueName: "text"))
  var texts: [String] = []

  @Option(help: "What weights are stored in: f32, f16, bf16 or int8.")
  var weights = WeightName.bf16

  @Option(help: "How vectors are written.")
  var format = Format.jsonl

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where vectors go. (default: standard output)", valueName: "file"))
  var output: String?

  @Option(
    defaultAsFlag: 10, parsing: .next,
    help: ArgumentHelp(
      "Print the pairs of texts that are most alike, in place of vectors unless they go to a file.",
      valueName: "n"))
  var similar: Int?

  @Option(parsing: .unconditional, help: "Threads to compute with. (default: what the process may use)")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...WorkerPool.maximumThreadCount).contains(threads) {
      throw ValidationError("--threads: \(threads), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
    if let similar, !(1...Self.mostPairs).contains(similar) {
      throw ValidationError("--similar: \(similar), expected 1 to \(Self.mostPairs)")
    }
    // The parser takes a value that is no number for none at all.
    for argument in CommandLine.arguments where argument.hasPrefix("--similar=") {
      let value = argument.dropFirst("--similar=".count)
      if strictInteger(value) == nil { throw ValidationError("--similar: \(value), expected an integer") }
    }
    if format != .jsonl, output == nil {
      throw ValidationError("--format \(format.rawValue): expected --output too")
    }
    if texts.count > 1, texts.contains("-") {
      throw ValidationError("-: standard input and texts given, expected one of them")
    }
  }

  func run() throws {
    try checkArguments()
    let texts = self.texts.isEmpty || self.texts == ["-"] ? try linesOfStandardInput() : self.texts
    if similar != nil, texts.count < 2 {
      throw ModelError("--similar", "1 text, expected at least 2")
    }
    let start = ContinuousClock.now
    let encoder = try SentenceEncoder(
      path: model, weights: weights.type, on: threads.map { WorkerPool(threads: $0) } ?? .shared)
    var run = EmbedRun(encoder, loadSeconds: seconds(since: start))
    if output == nil, similar == nil {
      try run.embed(texts) { texts, vectors, first in
        try printOutput(jsonLines(texts, vectors, first: first))
      }
    } else {
      let vectors = try run.embed(texts)
      if let output { try write(texts, vectors, to: output) }
      if let similar { try printOutput(similarityLines(texts, vectors, count: similar)) }
    }
    for line in run.summary { printError(line) }
  }

  private func write(_ texts: [String], _ vectors: Tensor<Float>, to path: String) throws {
    switch format {
    case .jsonl:
      var lines = try jsonLines(texts, vectors, first: 0)
      try lines.withUTF8 { bytes in
        try replaceFile(at: path) { (append) throws(TensorFileError) in
          try append(UnsafeRawBufferPointer(bytes))
        }
      }
    case .npy: try NumPyWriter.write(vectors, to: path)
    case .safetensors:
      var writer = SafetensorsWriter()
      try writer.add("embeddings", vectors)
      try writer.write(to: path)
    }
  }
}
