import Attention
import Parallelism
import TestSupport
import Testing

/// Every way to keep keys and values under every way to pass queries gives each sequence, bit for bit, what it gives alone from tensors
/// of its own: on any number of threads, with each kernel.
@Suite struct SourceEqualityTests {
  /// Sequences of different sizes, some without queries or without keys.
  struct Sizes: Sendable, CustomStringConvertible {
    let queries: [Int]
    let keys: [Int]
    let description: String
  }

  static let sizes = [
    Sizes(
      queries: [2, 0, 1, 2, 2], keys: [1500, 7, 1030, 0, 1], description: "few queries, keys of several parts"
    ),
    Sizes(queries: [70, 3, 33, 0, 9], keys: [300, 7, 0, 30, 130], description: "many queries"),
  ]

  private static let heads = (queries: 4, keyValues: 2)

  @Test(arguments: SourceKind.all, sizes) func isAsIfAlone(source: SourceKind, sizes: Sizes) throws {
    let rules = AttentionMask.causal & .window(left: 700) & .alibi(slopes: [0.1, 0, -0.2, 0.5])
    let pools = [Pools.one, Pools.two, Pools.three, Pools.seven]
    func check<Q: AttentionElement, K: AttentionElement, V: AttentionElement>(
      _: Q.Type, _: K.Type, _: V.Type
    ) throws {
      var runs = KernelRuns()
      let example = try Example(source, sizes, Q.self, K.self, V.self)
      try example.check(rules, nil, pools, &runs)
      for variant in ForcedVariant.best { try example.check(rules, variant, pools, &runs) }
      runs.expect(
        QueryKind.allCases.count * pools.count, of: ForcedVariant.best, [Q.elementType], "\(source), \(sizes)"
      )
    }
    try check(Float.self, Float.self, Float.self)
    try check(BFloat16.self, BFloat16.self, BFloat16.self)
    try check(Float.self, Float16.self, BFloat16.self)
    try check(Double.self, Float.self, Double.self)
  }

  @Test(arguments: ForcedVariant.all, sizes) func isAsIfAloneOnEverySet(
    variant: ForcedVariant, sizes: Sizes
  ) throws {
    var runs = KernelRuns()
    let sources = [SourceKind.slab, .packed, .pages(5), .joined([(.pages(16), 100), (.packed, .max)])]
    for source in sources {
      let example = try Example(source, sizes, Float.self, Float.self, Float.self)
      try example.check(.causal, variant, [Pools.three], &runs)
    }
    runs.expect(QueryKind.allCases.count * sources.count, of: [variant], [.float32], "\(sizes)")
  }

  /// Tensors of booleans and biases lie under the longest sequence's scores, however keys are kept.
  @Test(arguments: SourceKind.all, sizes) func isAsIfAloneUnderMasksThatAreTensors(
    source: SourceKind, sizes: Sizes
  ) throws {
    let (rows, columns) = (sizes.queries.max() ?? 0, sizes.keys.max() ?? 0)
    let bias = Tensor<Float>.normal([sizes.queries.count, 1, rows, columns], seed: 7)
    let isSeen = try Tensor<Bool>(bias.elements.map { $0 < 1 }, shape: bias.shape)
    var runs = KernelRuns()
    let example = try Example(source, sizes, Float.self, Float.self, Float.self)
    for variant in [nil] + ForcedVariant.best {
      try example.check(.causal, variant, [Pools.three], demand: .tensors, &runs) { b, queries, keys in
        func part<E: TensorElement>(_ tensor: Tensor<E>) -> Tensor<E> {
          b.map {
            tensor.sliced(axis: 0, $0..<$0 + 1).sliced(axis: 2, 0..<queries).sliced(axis: 3, 0..<keys)
          } ?? tensor
        }
        return .boolean(part(isSeen)) & .additive(part(bias))
      }
    }
    runs.expect(
      QueryKind.allCases.count, of: ForcedVariant.best, [.float32], demand: .tensors, "\(source), \(sizes)")
  }

  /// Sequences kept in one way, with tensors to compare with.
  private struct Example<Q: AttentionElement> {
    let sizes: Sizes
    let queries: Tensor<Q>
    let keyValues: KeyValues
    /// Keys and values of a sequence alone.
    let alone: [KeyValues]
    let context: String

    init<K: AttentionElement, V: AttentionElement>(
      _ source: SourceKind, _ sizes: Sizes, _: Q.Type, _: K.Type, _: V.Type
    ) throws {
      let (batch, most) = (sizes.keys.count, sizes.keys.max() ?? 0)
      let keys: Tensor<K> = .normal([batch, heads.keyValues, most, 24], seed: 2)
      let values: Tensor<V> = .normal([batch, heads.keyValues, most, 20], seed: 3)
      self.sizes = sizes
      queries = .normal([batch, heads.queries, sizes.queries.max() ?? 0, 24], seed: 1)
      keyValues = try source.keyValues(keys, values, lengths: sizes.keys)
      alone = sizes.keys.enumerated().map { b, length in
        KeyValues(
          keys: keys.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<length).contiguousCopy(),
          values: values.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<length).contiguousCopy())
      }
      context = "\(source), \(sizes), \(Q.elementType) over \(K.elementType) and \(V.elementType)"
    }

    /// Holds every way to pass the queries against each sequence alone.
    ///
    /// - Parameter tensors: the masks that are tensors, of all sequences, or of one with so many queries and keys.
    func check(
      _ rules: AttentionMask, _ variant: ForcedVariant?, _ pools: [WorkerPool],
      demand: MaskDemand = .ranges, _ runs: inout KernelRuns,
      tensors: (_ sequence: Int?, _ queries: Int, _ keys: Int) -> AttentionMask = { _, _, _ in .none }
    ) throws {
      for kind in QueryKind.allCases {
        let lengths = kind.lengths(sizes.queries, of: queries)
        let passed = try kind.queries(queries, lengths: lengths)
        let context = "\(context), \(kind), \(variant?.description ?? "chosen")"
        var expected: [Results]?
        for pool in pools {
          let attend = ScaledDotProductAttention(mask: rules & tensors(nil, 0, 0), on: pool)
          let result = try results(attend, passed, keyValues, variant, demand, context)
          guard let result else { continue }
          if let variant { runs.add(variant, Q.elementType) }
          #expect(kind.leavesPaddingEmpty(result, lengths: lengths), "\(context)")
          let each = try expected ?? eachAlone(rules, tensors, lengths, variant, demand)
          expected = each
          for b in lengths.indices {
            let (output, sums) = kind.results(result, of: b, lengths: lengths)
            let isEqual =
              haveSameBits(output, each[b].output.selected(axis: 0, 0))
              && haveSameBits(sums, each[b].logSumExp.selected(axis: 0, 0))
            #expect(isEqual, "\(context), \(pool.threadCount) threads, sequence \(b)")
          }
        }
      }
    }

    private typealias Results = (output: Tensor<Q>, logSumExp: Tensor<Q.Accumulator>)

    /// The results of each sequence alone, on one thread.
    private func eachAlone(
      _ rules: AttentionMask, _ tensors: (Int?, Int, Int) -> AttentionMask, _ lengths: [Int],
      _ variant: ForcedVariant?, _ demand: MaskDemand
    ) throws -> [Results] {
      try lengths.enumerated().map { b, length in
        let mask = rules & tensors(b, length, sizes.keys[b])
        let own = queries.sliced(axis: 0, b..<b + 1).sliced(axis: 2, 0..<length).contiguousCopy()
        return try #require(
          try results(
            ScaledDotProductAttention(mask: mask, on: Pools.one), Queries(own), alone[b], variant, demand,
            "sequence \(b) alone"))
      }
    }

    /// What attention gives one way, or as it chooses; nil where the kernel must refuse.
    private func results(
      _ attend: ScaledDotProductAttention, _ queries: Queries<Q>, _ keyValues: KeyValues,
      _ variant: ForcedVariant?, _ demand: MaskDemand, _ context: String
    ) throws -> Results? {
      guard let variant else { return try attend.withLogSumExp(queries, keyValues) }
      let duty = KernelDuty(kernel: variant.kernel, isDouble: Q.elementType == .float64, demand: demand)
      return try variant.result(ifDue: duty, context) { () throws(AttentionError) in
        try attend.withLogSumExp(queries, keyValues, forcing: variant)
      }
    }
  }
}
