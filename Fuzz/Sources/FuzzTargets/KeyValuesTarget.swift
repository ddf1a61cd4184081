import Attention

extension FuzzTarget {
  /// Queries, keys, values, block tables, lengths, masks and options that nobody checked: the call throws, or no output is larger than the
  /// largest value.
  static let keyValues = FuzzTarget("key-values") { bytes throws(FuzzFault) in
    try attempt {
      var input = InputBytes(bytes)
      let sizes = HostileSizes(&input)
      let attend = try input.attention(sizes)
      let queries = try input.queries(sizes)
      let keyValues = try input.keyValues(sizes)
      switch input.int(0...3) {
      case 0: try check(attend(queries, keyValues), attend)
      case 1: try check(attend.withLogSumExp(queries, keyValues).output, attend)
      case 2:
        let stages: [ScoreStage] = [.scaled, .softcapped, .biased, .weights]
        let first = input.anyInt(), count = input.int(0...5)
        let rows = first < Int.max - count ? first..<first + count : nil
        _ = try attend.scores(queries, keyValues, stage: input.pick(stages), rows: rows)
      default:
        // A plan, run with what it was made for and with other operands.
        let plan = try attend.plan(queries, keyValues)
        _ = plan.description
        let others = try (input.queries(sizes), input.keyValues(sizes))
        let outputShape = input.shape([sizes.batch, sizes.queryHeads, sizes.queries, sizes.width])
        var output = try input.tensor(outputShape, Float.self).contiguousCopy()
        try output.withMutableView { (view) throws(AttentionError) in
          try plan.run(others.0, others.1, to: view)
        }
        try check(output, attend)
      }
    }
  }

  /// Weights add up to 1, and what they weigh lies between -1 and 1. NaN comes of options that are out of all proportion alone.
  private static func check(_ output: Tensor<Float>, _ attend: ScaledDotProductAttention) throws(FuzzFault) {
    let sinks = attend.options.sinks ?? []
    let isModerate =
      abs(attend.scale ?? 1) <= 1e6 && !attend.mask.description.contains("alibi")
      && sinks.allSatisfy { !$0.isNaN && $0 < .infinity }
    for element in output.elements where isModerate || !element.isNaN {
      try require(abs(element) <= 1.0001, "an output of \(element) from values between -1 and 1")
    }
  }
}
