import ArgumentParser
import BenchmarkKit
import Foundation
import Parallelism
import Transformer

/// Measures attention within a tolerance on the keys of a real model.
struct PlanesCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "planes",
    abstract: "Measure how many low bytes of a model's keys a tolerance asks for, and what that brings.",
    discussion: """
      The model reads a text; keys, values and the last token's queries of all layers are kept, and the keys are stored in bfloat16, \
      in int8, and in two planes of bytes beside values of int8. A row of the table is a text, a number of its tokens and a tolerance: \
      the share of rows of low bytes that the query heads of a group read together; the largest bound and the largest error, both \
      relative to the largest value; and how long attention of all layers takes over each cache, in the same rounds. \
      The last table row of a text has the same keys with their columns drawn anew from a normal distribution.

      EXAMPLES:
        attention-bench planes Models/smollm2-135m-instruct/model-bf16.gguf
        attention-bench planes Models/gemma3-270m/model.gguf --tokens 4000 --tolerances 0.01 --texts essay.txt
      """)

  @Argument(help: "A GGUF file or a folder.", completion: .file())
  var model: String

  @Option(
    help: "Files of texts, separated by commas. (default: the Mozilla Public License)",
    completion: .file())
  var texts: String?

  @Option(help: "Numbers of tokens, separated by commas; longer than a text, it begins anew.")
  var tokens = "2000,4000,7600"

  @Option(help: "Tolerances, separated by commas.")
  var tolerances = "0.01,0.003,0.001"

  @Option(help: "Rows of a page; 0 for all of a sequence's in one.")
  var pageSize = 64

  @Option(help: "Threads. (default: what the process may use)")
  var threads: Int?

  @Flag(help: "Fewer rounds.")
  var quick = false

  func validate() throws {
    if let threads { try checkThreads(threads) }
    if pageSize < 0 { throw ValidationError("--page-size: \(pageSize), expected at least 0") }
  }

  func run() throws {
    let (counts, tolerances) = (try numbers(tokens, "--tokens"), try tolerances("--tolerances"))
    let workers = threads.map { WorkerPool(threads: $0) } ?? .shared
    let model = try LanguageModel(path: model, on: workers)
    let table = TextTable(
      .markdown, PlanesRow.header, words: [0], rows: [PlanesRow.widest])
    Output.write(table.heading)
    for (name, text) in try namedTexts() {
      let ids = try model.tokens(of: text)
      for count in counts {
        let tokens = (0..<count).map { ids[$0 % ids.count] }
        for isRandom in count == counts.last ? [false, true] : [false] {
          let study = try PlanesStudy(
            model.decoder, tokens, random: isRandom, pageSize: pageSize == 0 ? count : pageSize, on: workers)
          for tolerance in isRandom ? [tolerances[0]] : tolerances {
            let row = try study.row(
              isRandom ? "\(name), random keys" : name, within: tolerance, Rounds(quick: quick))
            Output.write([table.line(row.cells)])
            if let code = Interruption.exitCode { throw ExitCode(code) }
          }
        }
      }
    }
  }

  private func namedTexts() throws -> [(String, String)] {
    guard let texts else { return [("Mozilla Public License", try ModelTasks.text())] }
    return try texts.split(separator: ",").map { path in
      let url = URL(filePath: String(path))
      return (url.deletingPathExtension().lastPathComponent, try String(contentsOf: url, encoding: .utf8))
    }
  }

  private func numbers(_ text: String, _ flag: String) throws -> [Int] {
    let numbers = try text.split(separator: ",").map { word in
      guard let number = Int(word), (1...1 << 20).contains(number) else {
        throw BenchmarkError("\(flag): \(word), expected a number of tokens")
      }
      return number
    }
    guard !numbers.isEmpty else { throw BenchmarkError("\(flag): empty, expected numbers of tokens") }
    return numbers
  }

  private func tolerances(_ flag: String) throws -> [Double] {
    let numbers = try tolerances.split(separator: ",").map { word in
      guard let number = Double(word), number >= 0, number.isFinite else {
        throw BenchmarkError("\(flag): \(word), expected a number from 0 on")
      }
      return number
    }
    guard !numbers.isEmpty else { throw BenchmarkError("\(flag): empty, expected numbers") }
    return numbers
  }
}

/// A row of the table.
struct PlanesRow {
  let cells: [String]

  static let header = [
    "text", "tokens", "tolerance", "low bytes read", "largest bound", "largest error", "bf16, ms", "int8, ms",
    "planes, ms", "bf16 / planes",
  ]
  static let widest = [
    "Mozilla Public License, random keys", "7600", "0.001", "100.0 %", "1.0e-02", "1.0e-02", "10.00", "10.00",
    "10.00", "1.00",
  ]
}
