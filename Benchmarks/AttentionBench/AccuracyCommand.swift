import ArgumentParser
import Attention
import BenchmarkKit
import Foundation

/// Measures what the storage types of caches cost in accuracy.
struct AccuracyCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "accuracy",
    abstract: "Measure what storage types of keys and values cost in accuracy, on real numbers.",
    discussion: """
      Layer 3 of all-MiniLM-L6-v2 over a real text: its keys and values are written into the pages of a pool, in each \
      type of keys with each type of values, and read from there with Float32 queries, one a call (decode) and all in \
      one call (prefill). Errors are those against attention in Float64 over the numbers before they were stored. \
      Nothing is timed. Two Markdown tables go to standard output.
      """)

  func run() throws {
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
