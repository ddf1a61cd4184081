/// A file of results as it is spelt: nothing checked yet but the types.
struct ResultRecord: Decodable {
  var context: ResultContext
  var benchmarks: [Entry]

  /// A round of a row, or an aggregate of its rounds.
  struct Entry: Decodable {
    var name: String
    var runName: String?
    var runType: String?
    var repetitionIndex: Int?
    var aggregateName: String?
    var realTime: Double?
    var cpuTime: Double?
    var timeUnit: String?
    var shape: String?
    var dtype: String?
    var engine: String?
    var errorOccurred: Bool?
    var errorMessage: String?
    var skipped: Bool?
    var skipMessage: String?
    var usefulFlops: Double?
    var peakGflops: Double?
    var keyValueBytes: Double?
    var readGbytes: Double?
    var limit: String?
    var shareOfLimit: Double?

    enum CodingKeys: String, CodingKey {
      case name, shape, dtype, engine, skipped, limit
      case runName = "run_name"
      case runType = "run_type"
      case repetitionIndex = "repetition_index"
      case aggregateName = "aggregate_name"
      case realTime = "real_time"
      case cpuTime = "cpu_time"
      case timeUnit = "time_unit"
      case errorOccurred = "error_occurred"
      case errorMessage = "error_message"
      case skipMessage = "skip_message"
      case usefulFlops = "useful_flops"
      case peakGflops = "peak_gflops"
      case keyValueBytes = "kv_bytes"
      case readGbytes = "read_gbytes_per_s"
      case shareOfLimit = "share_of_limit"
    }
  }
}

// MARK: - Rounds

extension ResultRecord.Entry {
  /// Whether it was measured, and does not follow from other entries. Releases before 1.5 have aggregates under names of their own, and
  /// no `run_type`.
  var isRound: Bool { (runType ?? "iteration") == "iteration" }

  private var secondsPerUnit: Double? { ["ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1][timeUnit ?? "ns"] }

  /// Nothing takes less than a thousandth of a cycle or longer than a year.
  private static let possibleSeconds = 1e-13...3.2e7

  /// What a round says, where it is valid.
  var outcome: ResultFile.Row.Outcome {
    if errorOccurred == true { return .failed(onOneLine(errorMessage ?? "no reason given")) }
    if skipped == true { return .skipped(onOneLine(skipMessage ?? "no reason given")) }
    let unit = secondsPerUnit ?? 0
    return .measured([Turn(seconds: (realTime ?? 0) * unit, cpuSeconds: (cpuTime ?? 0) * unit)])
  }

  /// A shape's name with a type, an engine and the name of an aggregate behind it.
  private static let longestName = BenchmarkShape.longestName + 64

  /// - Throws: ``BenchmarkError`` that names the field, what it has and what was expected.
  func validate() throws(BenchmarkError) {
    for (field, text) in [("name", name), ("shape", shape), ("dtype", dtype), ("engine", engine)] {
      // They are printed as they are.
      guard let text, !(1...Self.longestName ~= text.count && text == onOneLine(text)) else { continue }
      throw BenchmarkError(
        "\(field) is \(quoted(text)), expected 1 to \(Self.longestName) characters on one line")
    }
    guard isRound else { return }
    if let repetitionIndex, repetitionIndex < 0 {
      throw BenchmarkError("\(quoted(name)): repetition_index is \(repetitionIndex), expected 0 or more")
    }
    if errorOccurred == true || skipped == true { return }
    guard let unit = secondsPerUnit else {
      throw BenchmarkError(
        "\(quoted(name)): time_unit is \(quoted(timeUnit ?? "")), expected ns, us, ms or s")
    }
    guard let realTime else { throw BenchmarkError("\(quoted(name)): real_time is missing") }
    guard Self.possibleSeconds.contains(realTime * unit) else {
      throw BenchmarkError(
        "\(quoted(name)): real_time is \(realTime), expected more than 0 and less than a year")
    }
    if let cpuTime, !(0...1e6 * Self.possibleSeconds.upperBound).contains(cpuTime * unit) {
      throw BenchmarkError("\(quoted(name)): cpu_time is \(cpuTime), expected 0 or more")
    }
  }
}

// MARK: - Limits

extension ResultRecord.Entry {
  /// Seconds that a call would take at each limit of the machine; of an aggregate that tells.
  var limits: [String: Double] {
    func seconds(_ amount: Double?, _ billionsPerSecond: Double?) -> Double? {
      guard let amount, let billionsPerSecond else { return nil }
      return amount / (billionsPerSecond * 1e9)
    }
    let limits = [
      "arithmetic": seconds(usefulFlops, peakGflops), "read": seconds(keyValueBytes, readGbytes),
      // Of what neither reads only nor computes, the share alone is told.
      "r+w": limit == "r+w"
        ? shareOfLimit.flatMap { share in realTime.map { share * $0 * (secondsPerUnit ?? 0) } } : nil,
    ]
    return limits.compactMapValues { $0 }.filter { Self.possibleSeconds.contains($0.value) }
  }
}
