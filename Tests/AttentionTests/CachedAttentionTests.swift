import Attention
import AttentionReference
import Parallelism
import TestSupport
import Testing

/// Attention over pools, rings and slabs: the same bits wherever rows lie, and right by the oracle over the numbers that are stored.
@Suite struct CachedAttentionTests {
  /// Heads, widths and rules that go together.
  struct Setting: Sendable, CustomStringConvertible {
    let heads: HeadCounts
    let depth: Int
    let mask: AttentionMask
    var options = AttentionOptions()
    var description: String { "\(heads.query) heads on \(heads.keyValue), D \(depth), \(mask)" }
  }

  static let settings = [
    Setting(heads: HeadCounts(query: 2, keyValue: 2), depth: 64, mask: .causal),
    Setting(
      heads: HeadCounts(query: 3, keyValue: 1), depth: 80, mask: .causal,
      options: AttentionOptions(softcap: 5)),
    Setting(heads: HeadCounts(query: 8, keyValue: 2), depth: 128, mask: .causal & .window(left: 90)),
    Setting(
      heads: HeadCounts(query: 8, keyValue: 1), depth: 256,
      mask: .causal & .alibi(slopes: AttentionMask.alibiSlopes(heads: 8)),
      options: AttentionOptions(sinks: (0..<8).map { Double($0) / 4 - 1 })),
  ]

  /// Each type of keys with each type of values, each of both with each setting, as a Latin square lays them out. Products read keys alone and sums
  /// values alone, so all three at once would take four times as long for the same code.
  static let cases = CachedTypes.all.enumerated().map { index, types in
    let (key, value) = index.quotientAndRemainder(dividingBy: CachedTypes.valueTypes.count)
    return Case(types: types, setting: settings[(key + value) % settings.count])
  }

  struct Case: Sendable, CustomStringConvertible {
    let types: CachedTypes
    let setting: Setting
    var description: String { "\(types), \(setting)" }
  }

  private static let count = 1100

  /// The last query, the last few and many: decode, verification and prefill.
  private static let appends = [1, 5, 60]

  /// Results of all appends, each over the rows up to its last query, from a cache that has all rows but the append's: those of a prompt,
  /// appended in pieces.
  private func results<Element: AttentionElement>(
    _ inputs: CachedInputs, _ setting: Setting, _: Element.Type, _ makeSequence: () throws -> KeyValueSequence
  ) throws -> [Tensor<Element>] {
    let attend = ScaledDotProductAttention(mask: setting.mask, options: setting.options, on: Pools.three)
    return try Self.appends.map { append in
      let sequence = try makeSequence()
      let before = inputs.count - append
      for first in stride(from: sequence.count, to: before, by: 250) {
        try inputs.append(first..<min(first + 250, before), to: sequence)
      }
      let step = try KeyValueStep([sequence], appending: [append])
      try inputs.write(before..<inputs.count, step)
      let queries = inputs.queries.sliced(axis: 0, before..<inputs.count).converted(to: Element.self)
      return try attend(.packed(queries, lengths: [append]), step.keyValues(layer: 0))
    }
  }

  /// The same append from a slab that began with room for 100 rows.
  private func grownSlab<Element: AttentionElement>(
    _ inputs: CachedInputs, _ types: CachedTypes, _ setting: Setting, _ append: Int, _: Element.Type
  ) throws -> Tensor<Element> {
    let slab = try KeyValueSlab(
      layers: 1, heads: inputs.heads.keyValue, depth: inputs.depth, keys: types.keys, values: types.values,
      capacity: 100)
    let before = inputs.count - append
    for first in stride(from: 0, to: before, by: 250) {
      let rows = first..<min(first + 250, before)
      let step = try slab.step(appending: [rows.count])
      try inputs.write(rows, step)
      try step.commit()
    }
    let step = try slab.step(appending: [append])
    try inputs.write(before..<inputs.count, step)
    let queries = inputs.queries.sliced(axis: 0, before..<inputs.count).converted(to: Element.self)
    return try ScaledDotProductAttention(mask: setting.mask, options: setting.options, on: Pools.three)(
      .packed(queries, lengths: [append]), step.keyValues(layer: 0))
  }

  @Test(arguments: cases) func bitsDoNotDependOnWhereRowsLie(_ each: Case) throws {
    let (types, setting) = (each.types, each.setting)
    func check<Element: AttentionElement>(_: Element.Type) throws {
      let inputs = CachedInputs(Self.count, heads: setting.heads, depth: setting.depth)
      let slab = try results(inputs, setting, Element.self) {
        try inputs.pool(types, pageSize: Self.count, pages: 1).makeSequence()
      }
      // The type for those who want no pool, which grows on the way.
      for (append, expected) in zip(Self.appends, slab) {
        let output = try grownSlab(inputs, types, setting, append, Element.self)
        #expect(output.elements.map(\.doubleValue) == expected.elements.map(\.doubleValue), "a slab")
      }
      for size in [1, 16, 64, 100] {
        let paged = try results(inputs, setting, Element.self) {
          try inputs.pool(types, pageSize: size, pages: (Self.count + size - 1) / size).makeSequence()
        }
        for (a, b) in zip(slab, paged) {
          #expect(a.elements.map(\.doubleValue) == b.elements.map(\.doubleValue), "pages of \(size)")
        }
      }
      let forked = try results(inputs, setting, Element.self) {
        let root = try inputs.pool(types, pageSize: 64, pages: 40).makeSequence()
        try inputs.append(0..<40, to: root)
        let fork = try root.fork()
        try inputs.append(0..<30, to: root)
        // The root goes on, and then is gone: the fork has its own last page.
        return fork
      }
      for (a, b) in zip(slab, forked) {
        #expect(a.elements.map(\.doubleValue) == b.elements.map(\.doubleValue), "a fork")
      }
      let ring = try results(inputs, setting, Element.self) {
        try inputs.pool(types, pageSize: 64, pages: 80)
          .makeSequence(window: Self.count, keepingFirst: 3, longestAppend: 250)
      }
      for (a, b) in zip(slab, ring) {
        #expect(a.elements.map(\.doubleValue) == b.elements.map(\.doubleValue), "a ring")
      }
    }
    try check(Float.self)
    try check(BFloat16.self)
  }

  @Test(arguments: cases) func agreesWithTheOracleOverWhatIsStored(_ each: Case) throws {
    let (types, setting) = (each.types, each.setting)
    let inputs = CachedInputs(140, heads: setting.heads, depth: setting.depth)
    let (keys, values) = try (
      CachedTypes.stored(inputs.keys, types.keys).asBatch,
      CachedTypes.stored(inputs.values, types.values).asBatch
    )
    let slopes = setting.mask.description.contains("alibi") ? AttentionMask.alibiSlopes(heads: 8) : nil
    let window = setting.mask.description.contains("window") ? 90 : Int.max
    let rules = ScoreRules(
      softcap: setting.options.softcap, sinks: setting.options.sinks,
      isVisible: { _, _, i, j in j <= i && i - j <= window },
      bias: { _, h, i, j in -(slopes?[h] ?? 0) * Double(abs(i - j)) })
    let oracle = AttentionOracle(
      queries: inputs.queries.asBatch, keys: keys, values: values, rules: rules)
    let expected = oracle.all().output
    let largest = values.elements.map { Double($0.magnitude) }.max()!
    // What changes scores rounds them once more.
    let isPlain = setting.options.softcap == nil && slopes == nil
    let bound = Tolerance(absolute: types.bound(largest) + (isPlain ? 0 : 2e-6))
    let pool = try inputs.pool(types, pageSize: 16, pages: 40)
    let attend = ScaledDotProductAttention(mask: setting.mask, options: setting.options)
    // All at once, and token by token.
    let whole = pool.makeSequence()
    let step = try KeyValueStep([whole], appending: [inputs.count])
    try inputs.write(0..<inputs.count, step)
    let prefill = try attend(
      .packed(inputs.queries, lengths: [inputs.count]), step.keyValues(layer: 0))
    #expect(bound.worstMismatch(prefill.asBatch, expected: expected) == nil, "prefill")
    step.cancel()
    let grown = pool.makeSequence()
    for token in 0..<inputs.count {
      let step = try KeyValueStep([grown], appending: [1])
      try inputs.write(token..<token + 1, step)
      let query = inputs.queries.sliced(axis: 0, token..<token + 1)
      let output = try attend(.packed(query, lengths: [1]), step.keyValues(layer: 0))
      let row = expected.sliced(axis: 2, token..<token + 1)
      #expect(bound.worstMismatch(output.asBatch, expected: row) == nil, "token \(token)")
      try step.commit()
    }
  }

  /// bfloat16 queries, in which tiles of integers come to bfloat16 before they are multiplied.
  @Test(arguments: CachedTypes.all) func bfloat16QueriesKeepTheirRule(types: CachedTypes) throws {
    let inputs = CachedInputs(200, heads: HeadCounts(query: 4, keyValue: 1), depth: 64)
    let queries = inputs.queries.converted(to: BFloat16.self)
    let (keys, values) = try (
      CachedTypes.stored(inputs.keys, types.keys).asBatch,
      CachedTypes.stored(inputs.values, types.values).asBatch
    )
    let rules = ScoreRules(isVisible: { _, _, i, j in j <= i })
    let expected = AttentionOracle(
      queries: queries.converted(to: Float.self).asBatch, keys: keys, values: values, rules: rules
    ).all().output
    let naive = naiveAttention(
      queries: queries.asBatch, keys: keys.converted(to: BFloat16.self),
      values: values.converted(to: BFloat16.self), rules: rules)
    let bound = Tolerance.twiceNaive(naive, reference: expected)
    let sequence = try inputs.pool(types, pageSize: 16, pages: 40).makeSequence()
    for rows in [0..<190, 190..<199, 199..<200] {
      let step = try KeyValueStep([sequence], appending: [rows.count])
      try inputs.write(rows, step)
      let output = try ScaledDotProductAttention(mask: .causal)(
        .packed(queries.sliced(axis: 0, rows), lengths: [rows.count]), step.keyValues(layer: 0))
      #expect(
        bound.worstMismatch(output.asBatch, expected: expected.sliced(axis: 2, rows)) == nil, "\(rows)")
      try step.commit()
    }
  }
}
