import Foundation

/// One document in google-benchmark's schema, which its tools and others read: every round is a repetition, then their aggregates.
///
/// It is written whole at the end, since what is cut is not JSON.
struct JSONReport: Report {
  let context: RunContext

  var opening: [String] { [] }

  func lines(_ row: ResultRow) -> [String] { [] }

  func closing(_ rows: [ResultRow], _ caveats: Caveats) -> [String] {
    let members = context.members(caveats)
      .map { "    \(JSONValue.text($0.name).line): \($0.value.line)" }
    let entries = rows.enumerated().flatMap { $1.entries(family: $0) }.map {
      "    \(JSONValue.object($0).line)"
    }
    return ["{", "  \"context\": {", members.joined(separator: ",\n"), "  },", "  \"benchmarks\": ["]
      + (entries.isEmpty ? [] : [entries.joined(separator: ",\n")]) + ["  ]", "}"]
  }
}

extension ResultRow {
  fileprivate typealias Members = [(name: String, value: JSONValue)]

  /// What is measured: `minilm-encode/f32/chosen`.
  package var runName: String { "\(name)/\(dtype)/\(kernel)" }

  fileprivate func entries(family: Int) -> [Members] {
    switch status {
    case .ok: iterations(family) + aggregates(family)
    case .failed(let reason):
      [unmeasured(family, [("error_occurred", .flag(true)), ("error_message", .text(reason))])]
    case .skipped(let reason):
      [unmeasured(family, [("skipped", .flag(true)), ("skip_message", .text(reason))])]
    }
  }

  private func head(_ family: Int, suffix: String = "") -> Members {
    [
      ("name", .text(runName + suffix)), ("family_index", .count(family)),
      ("per_family_instance_index", .count(0)), ("run_name", .text(runName)),
    ]
  }

  private func tail(calls: Int, seconds: Double, cpuSeconds: Double) -> Members {
    [
      ("threads", .count(threads)), ("iterations", .count(calls)), ("real_time", .number(1e3 * seconds)),
      ("cpu_time", .number(1e3 * cpuSeconds)), ("time_unit", .text("ms")),
    ] + words
  }

  private var words: Members {
    [("shape", .text(name)), ("dtype", .text(dtype)), ("engine", .text(kernel))]
  }

  private func iterations(_ family: Int) -> [Members] {
    turns.enumerated().map { index, turn in
      head(family) + [
        ("run_type", .text("iteration")), ("repetitions", .count(rounds)),
        ("repetition_index", .count(index)),
      ] + tail(calls: turn.calls, seconds: turn.seconds, cpuSeconds: turn.cpuSeconds)
    }
  }

  private func unmeasured(_ family: Int, _ reason: Members) -> Members {
    head(family) + [
      ("run_type", .text("iteration")), ("repetitions", .count(1)), ("repetition_index", .count(0)),
    ] + tail(calls: 0, seconds: 0, cpuSeconds: 0) + reason
  }

  /// google-benchmark's own: their formulas and units are those of its `statistics.cc`.
  private func aggregates(_ family: Int) -> [Members] {
    if turns.isEmpty { return [] }
    let (real, cpu) = (Spread(turns.map(\.seconds)), Spread(turns.map(\.cpuSeconds)))
    func aggregate(_ name: String, _ unit: String, _ real: Double, _ cpu: Double) -> Members {
      head(family, suffix: "_\(name)") + [
        ("run_type", .text("aggregate")), ("repetitions", .count(rounds)), ("aggregate_name", .text(name)),
        ("aggregate_unit", .text(unit)),
      ] + tail(calls: rounds, seconds: real, cpuSeconds: cpu)
    }
    return [
      aggregate("mean", "time", real.mean, cpu.mean),
      aggregate("median", "time", real.median, cpu.median)
        + counters.map { (name: $0.name, value: JSONValue($0.value)) },
      aggregate("stddev", "time", real.deviation, cpu.deviation),
      // A fraction, in no unit of time.
      aggregate("cv", "percentage", real.variation / 1e3, cpu.variation / 1e3),
    ]
  }
}

/// Mean, median and spread of samples.
private struct Spread {
  let mean: Double
  let median: Double
  /// The standard deviation, with `n − 1`; 0 for one sample.
  let deviation: Double
  /// ``deviation`` over ``mean``.
  var variation: Double { mean > 0 ? deviation / mean : 0 }

  init(_ samples: [Double]) {
    let mean = samples.reduce(0, +) / Double(samples.count)
    self.mean = mean
    median = Quantiles(samples).median
    let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
    deviation = samples.count > 1 ? (squares / Double(samples.count - 1)).squareRoot() : 0
  }
}
