import Foundation

/// One document in google-benchmark's schema, which its tools and others read: every round is a repetition, then their aggregates. A line
/// for each, as git compares files.
func jsonLines(_ rows: [ResultRow], _ context: RunContext, _ caveats: Caveats) -> [String] {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  // Programs take no text for a number, and JSON has no word for these.
  encoder.nonConformingFloatEncodingStrategy = .convertToString(
    positiveInfinity: "infinite", negativeInfinity: "infinite", nan: "undefined")
  func line(_ value: some Encodable) -> String {
    guard let data = try? encoder.encode(value) else { preconditionFailure("no JSON of \(value)") }
    return String(decoding: data, as: UTF8.self)
  }
  let entries = rows.enumerated().flatMap { family, row in row.entries(family: family).map(line) }
  encoder.outputFormatting.insert(.prettyPrinted)
  return [
    "{\"context\": \(line(Context(run: context, caveats: caveats))),",
    "\"benchmarks\": [", entries.joined(separator: ",\n"), "]}",
  ]
}

/// A member of a JSON object, by its name.
struct JSONMember: CodingKey, ExpressibleByStringLiteral {
  let stringValue: String
  var intValue: Int? { nil }

  init(stringLiteral name: String) { stringValue = name }
  init(stringValue name: String) { stringValue = name }
  init?(intValue: Int) { nil }
}

// MARK: - Results

/// A round of a row, an aggregate of its rounds, or why there are none.
private struct Entry: Encodable {
  enum Kind {
    case round(Int, Turn)
    case aggregate(String, real: Double, cpu: Double)
    case unmeasured(flag: JSONMember, message: JSONMember, reason: String)
  }

  let row: ResultRow
  let family: Int
  let kind: Kind

  func encode(to encoder: any Encoder) throws {
    var members = encoder.container(keyedBy: JSONMember.self)
    func tell(_ suffix: String, calls: Int, seconds: Double, cpuSeconds: Double) throws {
      try members.encode(row.runName + suffix, forKey: "name")
      try members.encode(calls, forKey: "iterations")
      try members.encode(1e3 * seconds, forKey: "real_time")
      try members.encode(1e3 * cpuSeconds, forKey: "cpu_time")
    }
    try members.encode(row.runName, forKey: "run_name")
    try members.encode(family, forKey: "family_index")
    try members.encode(0, forKey: "per_family_instance_index")
    try members.encode(row.threads, forKey: "threads")
    try members.encode("ms", forKey: "time_unit")
    try members.encode(row.name, forKey: "shape")
    try members.encode(row.dtype, forKey: "dtype")
    try members.encode(row.kernel, forKey: "engine")
    try members.encode(max(row.rounds, 1), forKey: "repetitions")
    switch kind {
    case .round(let index, let turn):
      try tell("", calls: turn.calls, seconds: turn.seconds, cpuSeconds: turn.cpuSeconds)
      try members.encode("iteration", forKey: "run_type")
      try members.encode(index, forKey: "repetition_index")
    case .aggregate(let name, let real, let cpu):
      try tell("_\(name)", calls: row.rounds, seconds: real, cpuSeconds: cpu)
      try members.encode("aggregate", forKey: "run_type")
      try members.encode(name, forKey: "aggregate_name")
      try members.encode(name == "cv" ? "percentage" : "time", forKey: "aggregate_unit")
      if name == "median" { try row.encodeCounters(to: &members) }
    case .unmeasured(let flag, let message, let reason):
      try tell("", calls: 0, seconds: 0, cpuSeconds: 0)
      try members.encode("iteration", forKey: "run_type")
      try members.encode(0, forKey: "repetition_index")
      try members.encode(true, forKey: flag)
      try members.encode(reason, forKey: message)
    }
  }
}

extension ResultRow {
  /// What is measured: `minilm-encode/f32/chosen`.
  package var runName: String { "\(name)/\(dtype)/\(kernel)" }

  fileprivate func entries(family: Int) -> [Entry] {
    let kinds: [Entry.Kind] =
      switch status {
      case .ok: turns.enumerated().map { .round($0, $1) } + aggregates
      case .failed(let reason):
        [.unmeasured(flag: "error_occurred", message: "error_message", reason: reason)]
      case .skipped(let reason): [.unmeasured(flag: "skipped", message: "skip_message", reason: reason)]
      }
    return kinds.map { Entry(row: self, family: family, kind: $0) }
  }

  /// google-benchmark's own: their formulas are those of its `statistics.cc`.
  private var aggregates: [Entry.Kind] {
    if turns.isEmpty { return [] }
    func spread(_ samples: [Double]) -> [Double] {
      let count = Double(samples.count)
      let mean = samples.reduce(0, +) / count
      let squares = samples.reduce(0) { $0 + ($1 - mean) * ($1 - mean) }
      let deviation = count > 1 ? (squares / (count - 1)).squareRoot() : 0
      // The last one is a fraction, in no unit of time.
      return [mean, Quantiles(samples).median, deviation, mean > 0 ? deviation / mean / 1e3 : 0]
    }
    let (real, cpu) = (spread(turns.map(\.seconds)), spread(turns.map(\.cpuSeconds)))
    return ["mean", "median", "stddev", "cv"].enumerated().map { index, name in
      .aggregate(name, real: real[index], cpu: cpu[index])
    }
  }

  /// What is told of a result beside its times: the problem, the rates, the limits, the check; null where there is nothing to tell.
  fileprivate func encodeCounters(to members: inout KeyedEncodingContainer<JSONMember>) throws {
    func billions(_ rate: Double?) -> Double? { rate.flatMap { $0 > 0 ? $0 / 1e9 : nil } }
    let (flops, bytes): (Double?, Double?) =
      switch work {
      case .attention(let usefulFlops, let keyValueBytes): (usefulFlops, keyValueBytes)
      case .stream: (nil, nil)
      }
    let sizes = shape?.sizes
    for (name, count) in [
      ("batch", sizes?.batch), ("query_heads", sizes?.queryHeads),
      ("key_value_heads", sizes?.keyValueHeads), ("queries", sizes?.queries), ("keys", sizes?.keys),
      ("head_dim", sizes?.headDim), ("value_dim", sizes?.valueDim), ("scaled_from_pairs", scaledFromPairs),
    ] as [(JSONMember, Int?)] { try members.encode(count, forKey: name) }
    for (name, number) in [
      ("useful_flops", flops), ("kv_bytes", bytes), ("useful_gflops", billions(flopsPerSecond)),
      ("kv_gbytes_per_s", billions(readBytesPerSecond)),
      ("streamed_gbytes_per_s", billions(streamedBytesPerSecond)),
      ("peak_gflops", billions(limits.flopsPerSecond)),
      ("read_gbytes_per_s", billions(limits.readBytesPerSecond)),
      ("read_write_gbytes_per_s", billions(limits.readWriteBytesPerSecond)),
      ("share_of_limit", share?.fraction), ("speedup", speedup), ("vs_plain", costOverPlain),
      ("max_error", maxError), ("tolerance", tolerance),
      ("median_ci_percent", medianInterval?.halfWidthPercent),
    ] as [(JSONMember, Double?)] { try members.encode(number, forKey: name) }
    for (name, text) in [
      ("plan", plan), ("mask", shape?.mask.kind.rawValue), ("limit", share?.limit),
      ("compared_with", comparedWith),
    ]
      as [(JSONMember, String?)]
    { try members.encode(text, forKey: name) }
  }
}

// MARK: - Context

/// The `context`: google-benchmark's members, then ours beside them. Of google-benchmark's, those that nobody told are left out: its
/// readers take 0 and false for what was found.
private struct Context: Encodable {
  let run: RunContext
  /// What was seen during the run, in addition to what was known before.
  let caveats: Caveats

  func encode(to encoder: any Encoder) throws {
    var run = run
    run.noise += caveats.noise
    try run.encode(to: encoder)
    try run.machine.encode(to: encoder)
    var members = encoder.container(keyedBy: JSONMember.self)
    // The folders before it are the builder's.
    try members.encode(run.executable.split(separator: "/").last.map(String.init), forKey: "executable")
    try members.encode(run.revision ?? "unknown", forKey: "library_version")
    try members.encode(run.isDebugBuild ? "debug" : "release", forKey: "library_build_type")
    try members.encode(1, forKey: "json_schema_version")
    try members.encodeIfPresent(
      run.machine.governor.map { $0 != "performance" }, forKey: "cpu_scaling_enabled")
    try members.encode(run.machine.governor, forKey: "governor")
    try members.encode(run.quota, forKey: "cgroup_cpu_quota")
    try members.encode(run.revision, forKey: "git_revision")
    try members.encode(caveats.precision, forKey: "precision")
    let peaks = run.peaks.map { ($0.arithmetic.typeName, $0.rate.all) }
    try members.encode(Dictionary(uniqueKeysWithValues: peaks), forKey: "peak_gflops")
    try members.encode(
      ["memory": run.memoryRead.all, "cache": run.cacheRead.all], forKey: "read_gbytes_per_s")
    try members.encode(
      run.handOff.map { ["spinning": $0.spinning, "sleeping": $0.sleeping] }, forKey: "hand_off_us")
  }
}
