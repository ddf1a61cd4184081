import Foundation

/// What an earlier run measured: a file in google-benchmark's schema, ours or one of google-benchmark's own.
package struct ResultFile: Sendable {
  /// One contender on one shape.
  package struct Row: Sendable, Equatable {
    /// What came of it.
    package enum Outcome: Sendable, Equatable {
      /// The median of the rounds.
      case seconds(Double)
      case failed, skipped
    }

    /// What pairs rows of two files: `shape/dtype/engine` where we wrote it.
    package let name: String
    package let outcome: Outcome

    /// What was computed.
    package var shape: String { String(name.prefix { $0 != "/" }) }

    var seconds: Double? {
      if case .seconds(let seconds) = outcome { seconds } else { nil }
    }
  }

  let context: ResultContext
  /// In the file's order.
  package let rows: [Row]
}

// MARK: - Reading

extension ResultFile {
  /// Several times what a run of all shapes, types and engines writes; what is larger is something else.
  private static var largestByteCount: Int { 1 << 26 }

  /// The results of a file.
  ///
  /// - Throws: ``BenchmarkError`` with the path and the reason.
  package static func load(path: String) throws(BenchmarkError) -> ResultFile {
    let data = try InputFile.read(path: path, limit: largestByteCount, kind: "results")
    do {
      return try ResultFile(data)
    } catch {
      throw BenchmarkError("\(path): \(error)")
    }
  }

  /// The results of a file's contents. Of its aggregates nothing: medians are computed here, in one way for every file.
  package init(_ data: Data) throws(BenchmarkError) {
    let document = try InputFile.decode(Document.self, from: data)
    var names: [String] = []
    var outcomes: [String: [Row.Outcome]] = [:]
    for (index, entry) in document.benchmarks.enumerated() where entry.isRound {
      do {
        if outcomes[entry.name] == nil { names.append(entry.name) }
        outcomes[entry.name, default: []].append(try entry.outcome())
      } catch {
        throw BenchmarkError("entry \(index + 1): \(error)")
      }
    }
    guard !names.isEmpty else {
      throw BenchmarkError(#"no entries of "run_type" "iteration", which alone are samples"#)
    }
    context = document.context
    rows = names.map { name in
      let rounds = outcomes[name] ?? []
      // One wrong round spoils all: nobody knows what the others computed.
      if let problem = [Row.Outcome.failed, .skipped].first(where: rounds.contains) {
        return Row(name: name, outcome: problem)
      }
      let seconds = rounds.compactMap { Row(name: name, outcome: $0).seconds }
      return Row(name: name, outcome: .seconds(Quantiles(seconds).median))
    }
  }
}

/// A file of results as it is spelt.
private struct Document: Decodable {
  let context: ResultContext
  let benchmarks: [Entry]

  /// A round of a row, or an aggregate of its rounds.
  struct Entry: Decodable {
    let name: String
    let runType: String?
    let realTime: Double?
    let timeUnit: String?
    let errorOccurred: Bool?
    let skipped: Bool?

    enum CodingKeys: String, CodingKey {
      case name, skipped
      case runType = "run_type"
      case realTime = "real_time"
      case timeUnit = "time_unit"
      case errorOccurred = "error_occurred"
    }

    /// Releases before 1.5 have no `run_type`, and aggregates under names of their own.
    var isRound: Bool { (runType ?? "iteration") == "iteration" }

    /// - Throws: ``BenchmarkError`` that names the field, what it has and what was expected.
    func outcome() throws(BenchmarkError) -> ResultFile.Row.Outcome {
      // A shape's name with a type and an engine behind it, printed as it is.
      let longestName = BenchmarkShape.longestName + 64
      guard 1...longestName ~= name.count, name == onOneLine(name) else {
        throw BenchmarkError("name is \(quoted(name)), expected 1 to \(longestName) characters on one line")
      }
      if errorOccurred == true { return .failed }
      if skipped == true { return .skipped }
      guard let unit = ["ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1][timeUnit ?? "ns"] else {
        throw BenchmarkError("time_unit is \(quoted(timeUnit ?? "")), expected ns, us, ms or s")
      }
      guard let realTime else { throw BenchmarkError("real_time is missing") }
      // Nothing takes less than a thousandth of a cycle or longer than a year.
      guard 1e-13...3.2e7 ~= realTime * unit else {
        throw BenchmarkError("real_time is \(realTime), expected more than 0 and less than a year")
      }
      return .seconds(realTime * unit)
    }
  }
}
