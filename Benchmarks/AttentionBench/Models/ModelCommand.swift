import ArgumentParser
import BenchmarkKit
import Foundation
import Parallelism

/// Measures whole models, beside other engines.
struct ModelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model",
    abstract: "Measure language models and sentence encoders, beside other engines with the same files.",
    discussion: """
      Prompt tokens a second, generated tokens a second after contexts of some lengths, the time to load, and the peak of the \
      process's memory; of a sentence encoder, a folder, sentences a second over 1,000 runs of 3 to 120 words. Every engine \
      has a process for each storage type of weights, and all are asked in turn, round by round. Numbers are medians.

      A contender is an engine and what it stores weights in, and keys and values where a second word says so: ours:int8:int8. \
      Engines: ours (f32, f16, bf16, int8); llamacpp, openvino-genai, transformers and sentence-transformers, which `make \
      peers` installs (f32, bf16, q8_0, file).

      EXAMPLES:
        attention-bench model Models/smollm2-135m-instruct/model.gguf
        attention-bench model Models/smollm2-135m-instruct/model.gguf --contenders ours:int8:int8,llamacpp:q8_0
        attention-bench model Models/all-minilm-l6-v2 --contenders ours:f32,ours:bf16,sentence-transformers:f32
      """)

  @Argument(help: "A GGUF file, or a folder of a sentence encoder.", completion: .file())
  var model: String

  @Option(help: "What is measured, separated by commas.")
  var contenders = "ours:f32:f32,ours:bf16,ours:int8,ours:int8:int8"

  @Option(help: "How often each is asked.")
  var rounds = 3

  @Option(help: "Lengths of prompts.")
  var prompts = "512,4096"

  @Option(help: "Lengths of contexts after which tokens are generated.")
  var contexts = "128,2048,8000"

  @Option(help: "Tokens that are generated after each.")
  var count = 32

  @Option(help: "Threads of each engine. (default: what the process may use)")
  var threads: Int?

  @Option(help: "A file for the numbers, in JSON.")
  var output: String?

  func validate() throws {
    if let threads { try checkThreads(threads) }
    if rounds < 1 { throw ValidationError("--rounds: \(rounds), expected at least 1") }
    if count < 2 { throw ValidationError("--count: \(count), expected at least 2") }
  }

  func run() throws {
    let isFolder = try Self.isFolder(model)
    let list = try contenders.split(separator: ",").map { try contender(String($0)) }
    let progress = Progress(count: rounds * list.count)
    let benchmark = ModelBenchmark(
      contenders: list, rounds: isFolder ? rounds + 1 : rounds, progress: progress)
    let rows: [ModelRow]
    if isFolder {
      let file = FileManager.default.temporaryDirectory.appending(path: "attention-bench-\(getpid()).json")
      defer { try? FileManager.default.removeItem(at: file) }
      try JSONEncoder().encode(ModelTasks.sentences(1000)).write(to: file)
      rows = benchmark.sentenceRows(file: file.path())
    } else {
      rows = benchmark.languageRows(
        try ModelTasks(
          model: model, prompts: try Self.lengths(prompts, "--prompts"),
          contexts: try Self.lengths(contexts, "--contexts"), count: count))
    }
    progress.clear()
    Output.write(ModelTable(rows).lines)
    if let output {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys]
      try encoder.encode(rows).write(to: URL(filePath: output), options: .atomic)
    }
    if let code = Interruption.exitCode { throw ExitCode(code) }
  }

  private static func isFolder(_ path: String) throws -> Bool {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw BenchmarkError("\(path): no such file or folder; `make models` fetches models")
    }
    return isFolder.boolValue
  }

  private static func lengths(_ text: String, _ flag: String) throws -> [Int] {
    try text.split(separator: ",").map {
      guard let length = Int($0), (1...1 << 20).contains(length) else {
        throw BenchmarkError("\(flag): \($0), expected a number of tokens")
      }
      return length
    }
  }

  /// `engine:weights` or `engine:weights:cache`.
  private func contender(_ text: String) throws -> ModelContender {
    let words = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    guard (2...3).contains(words.count), !words.contains("") else {
      throw BenchmarkError("--contenders: \(text), expected engine:weights or engine:weights:cache")
    }
    let threads = String(threads ?? CPUBudget.current.threads)
    let path = URL(filePath: model).standardizedFileURL.path()
    let load = ModelLoad(
      model: path, weights: words[1], cache: words.count > 2 ? words[2] : nil, context: 8192)
    let name = words.joined(separator: " ")
    if words[0] == "ours" {
      return try ModelContender(
        name, executable: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
        arguments: ["model-answer", "--threads", threads], load: load)
    }
    guard let engine = ModelPeer(rawValue: words[0]) else {
      throw BenchmarkError(
        "--contenders: \(words[0]), expected ours, \(ModelPeer.allCases.map(\.rawValue).joined(separator: ", "))"
      )
    }
    let (python, script) = try PeerSetup.modelProgram(engine)
    return try ModelContender(
      name, executable: python, arguments: [script, engine.rawValue, "--threads", threads], load: load)
  }
}

/// The engines that run whole models.
enum ModelPeer: String, CaseIterable {
  case llamacpp
  case openVINO = "openvino-genai"
  case transformers
  case sentenceTransformers = "sentence-transformers"
}

/// The rows as a table in Markdown.
struct ModelTable {
  let rows: [ModelRow]

  init(_ rows: [ModelRow]) { self.rows = rows }

  var lines: [String] {
    let prompts = Set(rows.flatMap(\.promptRates.keys)).sorted()
    let contexts = Set(rows.flatMap(\.generationRates.keys)).sorted()
    let hasSentences = rows.contains { $0.sentenceRate != nil }
    let hasGains = rows.contains { $0.batchGain != nil }
    let header =
      ["engine"] + prompts.map { "prompt of \($0), tokens/s" } + contexts.map { "after \($0), tokens/s" }
      + (hasGains ? ["8 together, x"] : []) + (hasSentences ? ["sentences/s"] : []) + ["load, s", "peak, MB"]
    let cells = rows.map { row -> [String] in
      let first = [row.name] + prompts.map { Self.text(row.promptRates[$0]) }
      let second = contexts.map { Self.text(row.generationRates[$0]) }
      let gains = hasGains ? [Self.text(row.batchGain, "%.2f")] : []
      let sentences = hasSentences ? [Self.text(row.sentenceRate)] : []
      let last = [Self.text(row.loadSeconds, "%.2f"), Self.text(row.peakBytes.map { Double($0) / 1e6 })]
      return first + second + gains + sentences + last
    }
    let table = TextTable(.markdown, header, words: [0], rows: cells)
    let notes = rows.flatMap { row -> [String] in
      if let refusal = row.refusal { return ["* \(row.name): \(refusal)"] }
      return ["* \(row.name): \(row.version)\(row.call.map { ", \($0)" } ?? "")"]
    }
    return table.heading + cells.map(table.line) + [""] + notes
  }

  private static func text(_ value: Double?, _ format: String = "%.4g") -> String {
    value.map { String(format: format, $0) } ?? "—"
  }
}
