import ArgumentParser
import Attention
import BenchmarkKit
import Foundation

/// Measures how exact everything is: kernels, functions, and what the storage types of caches cost.
struct AccuracyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accuracy",
    abstract: "Measure how exact kernels, functions and storage types are. Nothing is timed.",
    discussion: """
      First, every kernel of this machine's instruction set beside the naive kernel, and beside other engines where \
      --peers names some: the largest error against attention in Float64 over the same numbers, for each shape and \
      element type, with logits of a standard deviation of 1 to 1e5. Then exp and tanh, in units in the last place. \
      ATTENTION_KERNELS=avx2 and so on measures another instruction set. Then storage types, on real numbers: layer 3 of all-MiniLM-L6-v2 over a real text: its keys and values are written into the pages of a pool, in each \
      type of keys with each type of values, and read from there with Float32 queries, one a call (decode) and all in \
      one call (prefill). Errors are those against attention in Float64 over the numbers before they were stored. \
      Markdown goes to standard output.

      EXAMPLES:
        attention-bench accuracy
        attention-bench accuracy --peers pytorch,onnxruntime
      """)

  @Option(
    help: ArgumentHelp(
      "Other engines to measure beside ours: pytorch, onnxruntime, openvino, numpy, vllm, zentorch, flex, as `make peers` installed them.",
      valueName: "name,…"), transform: { try CommaList<PeerName>(argument: $0).values })
  var peers: [PeerName] = []

  func run() throws {
    let pool = WorkerPool.shared
    var setUp: [Peer] = []
    defer { for peer in setUp { peer.stop() } }
    if !peers.isEmpty {
      let setup = try PeerSetup(python: nil)
      for name in peers { setUp.append(try setup.peer(name, threads: pool.threadCount)) }
    }
    let study = KernelAccuracy(pool: pool, peers: setUp)
    let header = KernelAccuracy.header + setUp.map(\.name)
    Self.write(
      "The largest error against Float64, kernels of \(FunctionAccuracy.set):", header, [0, 1],
      try study.rows())
    Self.write(
      "Functions of \(FunctionAccuracy.set):", FunctionAccuracy.header, [0, 1], FunctionAccuracy.rows())
    try measureStorage()
  }

  private static func write(_ title: String, _ header: [String], _ words: Set<Int>, _ rows: [[String]]) {
    let table = TextTable(.markdown, header, words: words, rows: rows)
    Output.write([title, ""] + table.heading + rows.map(table.line) + [""])
  }

  private func measureStorage() throws {
    let study = try AccuracyStudy()
    let (tokens, heads, depth) = study.sizes
    Output.write([
      "\(tokens) tokens, \(heads) heads of width \(depth), every query sees every key. The largest output is "
        + "\(String(format: "%.4g", study.largestOutput)) (y), the largest value "
        + "\(String(format: "%.4g", study.largestValue)) (v)."
    ])
    for phase in AccuracyStudy.Phase.allCases {
      let rows = try Self.rows(study, phase)
      let table = TextTable(.markdown, Self.header, words: [0, 1], rows: rows)
      Output.write(["", Self.title(phase), ""] + table.heading + rows.map(table.line))
    }
  }

  private static func title(_ phase: AccuracyStudy.Phase) -> String {
    switch phase {
    case .decode: "Decode, one query a call:"
    case .prefill: "Prefill, all queries in one call:"
    }
  }

  private static let header = [
    "keys", "values", "bytes", "output max / y", "rms / y", "max / v", "rms / v", "lse max", "lse rms",
  ]

  /// A line for each pair of types that a pool takes.
  private static func rows(_ study: AccuracyStudy, _ phase: AccuracyStudy.Phase) throws -> [[String]] {
    var rows: [[String]] = []
    for keys in KeyValueType.allCases where keys != .int4 {
      for values in KeyValueType.allCases where values != .planes {
        let errors = try study.errors(keys: keys, values: values, phase)
        let parts = [study.largestOutput, study.largestValue].flatMap {
          [errors.output.largest / $0, errors.output.rootMeanSquare / $0]
        }
        let numbers = parts + [errors.logSumExp.largest, errors.logSumExp.rootMeanSquare]
        rows.append(
          [keys.description, values.description, "\(errors.bytes)"]
            + numbers.map { String(format: "%.1e", $0) })
      }
    }
    return rows
  }
}
