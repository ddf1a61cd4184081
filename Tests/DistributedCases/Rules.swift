import Attention

/// Masks and options that every way of splitting has to keep, for up to three sequences of up to 150 queries and keys.
struct Rules: Sendable {
  let name: String
  let attend: ScaledDotProductAttention
  /// Whether a tensor has columns for one sequence's keys alone.
  var isForOneSequence = false

  static func all(_ sizes: CallSizes, on pool: WorkerPool) -> [Rules] {
    let (heads, rows) = (sizes.heads, sizes.lengths.max() ?? 0)
    let columns = sizes.keyLengths.max() ?? 0
    let slopes = AttentionMask.alibiSlopes(heads: heads)
    let sinks = (0..<heads).map { Double($0) / 2 - 1 }
    let bias = Tensor<Float>.normal([heads, rows, columns], seed: 7)
    let numbers = Tensor<Float>.normal([1, heads, rows, columns], seed: 8)
    let visible = Tensor<Bool>(unsafeUninitializedShape: numbers.shape) { visible in
      for (index, number) in numbers.elements.enumerated() { visible[index] = number > -0.5 }
    }
    let short = Tensor<Float>.normal([rows, max(min(2, columns), columns * 2 / 3)], seed: 9)
    func rules(
      _ name: String, _ mask: AttentionMask, _ options: AttentionOptions = AttentionOptions(),
      one: Bool = false
    ) -> Rules {
      Rules(
        name: name, attend: ScaledDotProductAttention(mask: mask, options: options, on: pool),
        isForOneSequence: one)
    }
    return [
      rules("no mask", .none),
      rules("causal", .causal),
      rules("causal, top-left", .causal(.topLeft)),
      rules("causal, offset 5", .causal(.offset(5))),
      rules("window", .causal & .window(left: 9)),
      rules("two-sided window", .window(left: 3, right: 4)),
      rules("window keeping 3", .causal & .window(left: 11, keepingFirst: 3)),
      rules("rule of one's own", .causal & .keyRange(Chunks(size: 10))),
      rules("ALiBi and softcap", .causal & .alibi(slopes: slopes), AttentionOptions(softcap: 4)),
      rules("sinks", .causal, AttentionOptions(sinks: sinks)),
      rules("softmax in Double", .causal, AttentionOptions(softmaxPrecision: .float64)),
      rules("additive tensor", .causal & .additive(bias), one: true),
      rules("boolean tensor", .boolean(visible), one: true),
      rules("short tensor", .additive(short), one: true),
    ]
  }
}

/// Queries see the keys of their own chunk.
struct Chunks: KeyRangeRule {
  let size: Int
  var description: String { "chunks(\(size))" }
  func visibleKeys(of query: QueryPlace) -> Range<Int> {
    let start = max(0, query.position) / size * size
    return query.keys(from: start, through: start + size - 1)
  }
}
