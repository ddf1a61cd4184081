import Foundation

/// A file of results as text, made up for a test.
struct ResultText {
  var context: [String: Any] = ["cpu_model": "A", "threads": 2, "engines": ["numpy": "2.5.0"]]
  private var entries: [[String: Any]] = []

  /// Rounds of a row, in milliseconds.
  mutating func add(_ name: String, _ milliseconds: [Double]) {
    entries += milliseconds.enumerated().map { index, time in
      [
        "name": name, "run_type": "iteration", "repetition_index": index, "real_time": time,
        "time_unit": "ms",
      ]
    }
    entries.append(["name": "\(name)_median", "run_type": "aggregate", "real_time": 77, "time_unit": "ms"])
  }

  /// A row that was not measured, and says why under such a name.
  mutating func add(_ name: String, _ flag: String) {
    entries.append(["name": name, "run_type": "iteration", "real_time": 0, "time_unit": "ms", flag: true])
  }

  var text: String {
    get throws {
      let document: [String: Any] = ["context": context, "benchmarks": entries]
      return String(decoding: try JSONSerialization.data(withJSONObject: document), as: UTF8.self)
    }
  }
}
