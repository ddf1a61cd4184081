import Foundation

/// What an earlier run measured: a file in google-benchmark's schema, ours or one of google-benchmark's own.
package struct ResultFile: Sendable, Equatable {
  /// One contender on one shape.
  package struct Row: Sendable, Equatable {
    /// What came of it.
    package enum Outcome: Sendable, Equatable {
      /// In the order of the rounds; at least one.
      case measured([Turn])
      /// Wrong, or an error; why.
      case failed(String)
      /// Not measured; why.
      case skipped(String)
    }

    /// What pairs rows of two files: `shape/dtype/engine` where we wrote it.
    package let name: String
    /// What was computed; google-benchmark's own names begin with it too.
    package let shape: String
    /// The element type, where the file tells.
    package let dtype: String?
    /// Who computed it, where the file tells.
    package let engine: String?
    /// Whether its time is ours to answer for: neither the naive kernel's nor another engine's.
    package let isOurs: Bool
    /// What came of it.
    package let outcome: Outcome
    /// Seconds that a call would take at each of the machine's limits as they were beside it: at the arithmetic's peak, at the rate
    /// of reading.
    package var limits: [String: Double] = [:]

    /// A row of this name.
    package init(
      name: String, shape: String? = nil, dtype: String? = nil, engine: String? = nil, isOurs: Bool = true,
      outcome: Outcome
    ) {
      self.name = name
      self.shape = shape ?? String(name.prefix { $0 != "/" })
      self.dtype = dtype
      self.engine = engine
      self.isOurs = isOurs
      self.outcome = outcome
    }
  }

  /// The machine and the programs, in what moment.
  package let context: ResultContext
  /// In the file's order.
  package let rows: [Row]

  /// A file that was measured, or is made up for a test.
  package init(context: ResultContext = ResultContext(), rows: [Row]) {
    self.context = context
    self.rows = rows
  }
}

// MARK: - Reading

extension ResultFile {
  /// Several times what a run of all shapes, types and engines writes; what is larger is something else.
  static var largestByteCount: Int { 1 << 26 }

  /// The results of a file.
  ///
  /// - Throws: ``BenchmarkError`` with the path and the reason.
  package static func load(path: String) throws(BenchmarkError) -> ResultFile {
    let data = try InputFile.read(path: path, limit: largestByteCount, kind: "results")
    do {
      return try parse(data)
    } catch {
      throw BenchmarkError("\(path): \(error)")
    }
  }

  /// The results of a file's contents.
  package static func parse(_ data: Data) throws(BenchmarkError) -> ResultFile {
    let record = try InputFile.decode(ResultRecord.self, from: data)
    var order: [String] = []
    var rounds: [String: [ResultRecord.Entry]] = [:]
    var limits: [String: [String: Double]] = [:]
    for (index, entry) in record.benchmarks.enumerated() {
      do {
        try entry.validate()
      } catch {
        throw BenchmarkError("entry \(index + 1): \(error)")
      }
      if entry.isRound {
        if rounds[entry.name] == nil { order.append(entry.name) }
        rounds[entry.name, default: []].append(entry)
      } else if entry.aggregateName == "median", let name = entry.runName {
        // Of aggregates only what stands beside the times: medians are computed here, in one way for every file.
        limits[name] = entry.limits
      }
    }
    guard !order.isEmpty else {
      throw BenchmarkError(#"no entries of "run_type" "iteration", which alone are samples"#)
    }
    var rows: [Row] = []
    for name in order {
      var row = try row(of: rounds[name] ?? [], name: name, in: record.context)
      row.limits = limits[name] ?? [:]
      rows.append(row)
    }
    return ResultFile(context: record.context, rows: rows)
  }

  private static func row(
    of entries: [ResultRecord.Entry], name: String, in context: ResultContext
  ) throws(BenchmarkError) -> Row {
    // google-benchmark may write the rounds of all names in a random order, and releases before 1.5 do not number them.
    let rounds = entries.enumerated().map { (index: $1.repetitionIndex ?? $0, entry: $1) }
      .sorted { $0.index < $1.index }
    if let twice = zip(rounds, rounds.dropFirst()).first(where: { $0.index == $1.index }) {
      throw BenchmarkError("\(quoted(name)): round \(twice.0.index) appears twice")
    }
    var turns: [Turn] = []
    var outcome: Row.Outcome?
    for round in rounds {
      switch round.entry.outcome {
      case .measured(let more): turns += more
      // One wrong round spoils all: nobody knows what the others computed.
      case .failed, .skipped: outcome = outcome ?? round.entry.outcome
      }
    }
    let first = rounds[0].entry
    return Row(
      name: name, shape: first.shape, dtype: first.dtype, engine: first.engine,
      isOurs: context.isOurs(engine: first.engine), outcome: outcome ?? .measured(turns))
  }
}
