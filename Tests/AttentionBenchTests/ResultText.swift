import Foundation

/// A file of results as text, made up for a test.
struct ResultText {
  var context: [String: Any] = [
    "cpu_model": "A", "threads": 2, "num_cpus": 2, "noise": [String](),
    "engines": ["pytorch": "2.15.0", "numpy": "2.5.0"],
  ]
  var entries: [[String: Any]] = []

  /// Rounds of a row, in milliseconds, while the process worked on that many CPUs.
  mutating func add(
    _ name: String, _ milliseconds: [Double], cpus: Double = 2, aggregate: [String: Any] = [:]
  ) {
    let parts = name.split(separator: "/").map(String.init)
    for (index, time) in milliseconds.enumerated() {
      entries.append([
        "name": name, "run_name": name, "run_type": "iteration", "repetition_index": index, "real_time": time,
        "cpu_time": time * cpus, "time_unit": "ms", "shape": parts[0], "dtype": parts[1], "engine": parts[2],
      ])
    }
    entries.append(
      [
        "name": "\(name)_median", "run_name": name, "run_type": "aggregate", "aggregate_name": "median",
        "real_time": milliseconds.sorted()[milliseconds.count / 2], "time_unit": "ms",
      ].merging(aggregate) { $1 })
  }

  /// A row that was not measured, and says why.
  mutating func add(_ name: String, failure: String) {
    entries.append([
      "name": name, "run_type": "iteration", "real_time": 0, "cpu_time": 0, "time_unit": "ms",
      "engine": "chosen", "error_occurred": true, "error_message": failure,
    ])
  }

  /// Likewise.
  mutating func add(_ name: String, skipped: String) {
    entries.append([
      "name": name, "run_type": "iteration", "real_time": 0, "cpu_time": 0, "time_unit": "ms",
      "engine": "chosen", "skipped": true, "skip_message": skipped,
    ])
  }

  var data: Data {
    get throws {
      try JSONSerialization.data(withJSONObject: ["context": context, "benchmarks": entries])
    }
  }

  var text: String { get throws { String(decoding: try data, as: UTF8.self) } }
}

/// Rounds around a time, every second one a little below or above, slowly drifting: deviations as a quiet machine has them.
func rounds(_ milliseconds: Double, count: Int = 20, spread: Double = 0.01) -> [Double] {
  (0..<count).map { milliseconds * (1 + spread * sin(Double($0) * 1.3)) }
}
