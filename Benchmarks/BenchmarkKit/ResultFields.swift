/// The value of one column of `jsonl`, `csv` and `sql`.
package enum Field: Equatable, Sendable {
  /// Words.
  case text(String)
  /// A count.
  case count(Int)
  /// A measurement; one that is not finite is written as missing.
  case number(Double)
  /// Nothing to tell.
  case missing

  init(_ value: Double?) { self = value.map { $0.isFinite ? .number($0) : .missing } ?? .missing }

  /// A limit in thousands of millions a second; 0 where it was not measured.
  init(limit: Double) { self.init(limit > 0 ? limit / 1e9 : nil) }
}

extension ResultRow {
  /// The columns of `jsonl`, `csv` and `sql`, the same for every row, in order.
  package var fields: [(name: String, value: Field)] {
    let milliseconds = seconds?.scaled(by: 1e3)
    let (word, reason): (String, Field) =
      switch status {
      case .ok: ("ok", .missing)
      case .failed(let reason): ("failed", .text(reason))
      case .skipped(let reason): ("skipped", .text(reason))
      }
    return [
      ("name", .text(name)), ("kernel", .text(kernel)), ("dtype", .text(dtype)), ("threads", .count(threads)),
      ("median_ms", Field(milliseconds?.median)), ("p20_ms", Field(milliseconds?.p20)),
      ("p80_ms", Field(milliseconds?.p80)), ("rounds", .count(rounds)),
    ] + counters + [("status", .text(word)), ("reason", reason)]
  }

  /// What is told of a result beside its times: the problem, the rates, the limits, the check.
  var counters: [(name: String, value: Field)] {
    [("plan", plan.map { .text($0) } ?? .missing)] + sizes + [
      ("useful_gflops", Field(flopsPerSecond.map { $0 / 1e9 })),
      ("kv_gbytes_per_s", Field(readBytesPerSecond.map { $0 / 1e9 })),
      ("streamed_gbytes_per_s", Field(streamedBytesPerSecond.map { $0 / 1e9 })),
      ("peak_gflops", Field(limit: limits.flopsPerSecond)),
      ("read_gbytes_per_s", Field(limit: limits.readBytesPerSecond)),
      ("read_write_gbytes_per_s", Field(limit: limits.readWriteBytesPerSecond)),
      ("limit", share.map { .text($0.limit) } ?? .missing), ("share_of_limit", Field(share?.fraction)),
      ("speedup", Field(speedup)), ("compared_with", comparedWith.map { .text($0) } ?? .missing),
      ("vs_plain", Field(costOverPlain)), ("max_error", Field(maxError)), ("tolerance", Field(tolerance)),
      ("scaled_from_pairs", scaledFromPairs.map { .count($0) } ?? .missing),
      ("median_ci_percent", Field(medianInterval?.halfWidthPercent)),
    ]
  }

  private var sizes: [(name: String, value: Field)] {
    func count(_ size: KeyPath<BenchmarkShape.Sizes, Int>) -> Field {
      shape.map { .count($0.sizes[keyPath: size]) } ?? .missing
    }
    let (flops, bytes): (Double?, Double?) =
      switch work {
      case .attention(let usefulFlops, let keyValueBytes): (usefulFlops, keyValueBytes)
      case .stream: (nil, nil)
      }
    return [
      ("batch", count(\.batch)), ("query_heads", count(\.queryHeads)),
      ("key_value_heads", count(\.keyValueHeads)), ("queries", count(\.queries)), ("keys", count(\.keys)),
      ("head_dim", count(\.headDim)), ("value_dim", count(\.valueDim)),
      ("mask", shape.map { .text($0.mask.kind.rawValue) } ?? .missing), ("useful_flops", Field(flops)),
      ("kv_bytes", Field(bytes)),
    ]
  }
}
