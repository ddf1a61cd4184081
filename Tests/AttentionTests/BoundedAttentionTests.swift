import Attention
import AttentionReference
import Parallelism
import TestSupport
import Testing

/// Attention within a tolerance: bounds hold, outputs are right, bits depend on nothing that they should not.
@Suite struct BoundedAttentionTests {
  /// The largest share of its bound that an error of a case takes; more than 1 is a bound that does not hold.
  private func worstShare(_ test: BoundedCase, tolerance: Double, pageSize: Int) throws -> Double {
    let step = try test.step(pageSize: pageSize)
    let attend = ScaledDotProductAttention(mask: test.isCausal ? .causal : .none, on: Pools.two)
    let result = try attend.within(
      tolerance, .packed(test.queries, lengths: [test.queryCount]), step.keyValues(layer: 0))
    var worst = 0.0
    test.forEachRow { query, head, expected, largest in
      let bound = Double(result.bounds[head, query])
      if !bound.isFinite { return worst = .infinity }
      for (column, value) in expected.enumerated() {
        let error = abs(Double(result.output[query, head, column]) - value)
        worst = max(worst, error / (bound * largest))
      }
    }
    return worst
  }

  private static let tolerances = [0, 0.001, 0.01, 0.1, 3]

  private func isRead(_ test: BoundedCase, within tolerance: Double) throws -> Double {
    let attend = ScaledDotProductAttention(mask: test.isCausal ? .causal : .none)
    let result = try attend.within(
      tolerance, .packed(test.queries, lengths: [test.queryCount]),
      test.step(pageSize: 300).keyValues(layer: 0))
    return result.lowByteReads.share
  }

  /// 100,000 rows and more: 96 a case on average.
  @Test(arguments: 0..<6) func boundsHold(kind: Int) throws {
    var rows = 0
    var worst = 0.0
    var few = 0
    for draw in 0..<230 {
      let test = BoundedCase(draw * BoundedCase.Kind.allCases.count + kind)
      let tolerance = Self.tolerances[draw % Self.tolerances.count]
      let share = try worstShare(test, tolerance: tolerance, pageSize: [1, 16, 300][draw % 3])
      worst = max(worst, share)
      rows += test.queryCount * test.groups.query
      #expect(share <= 1, "draw \(draw), \(test.kind), tolerance \(tolerance)")
      few += try isRead(test, within: tolerance) < 0.9 ? 1 : 0
    }
    #expect(rows > 17_000, "\(rows) rows")
    // Bounds of what is read whole would say nothing.
    #expect(few > 40, "\(few) of 230 cases left low bytes unread; the largest share of a bound is \(worst)")
  }

  @Test(arguments: 0..<6) func boundsHoldOverManyParts(kind: Int) throws {
    for draw in 0..<6 {
      let test = BoundedCase(
        6_000 + draw * BoundedCase.Kind.allCases.count + kind, keyCount: 1000 + 700 * draw)
      let tolerance = Self.tolerances[draw % Self.tolerances.count]
      #expect(try worstShare(test, tolerance: tolerance, pageSize: 64) <= 1, "draw \(draw), \(test.kind)")
    }
  }

  /// One key of ten loses its low bytes, which point the way of the query, and its value is all that differs: nothing is given away but
  /// what the first column's low byte takes. A bound that takes half of what is lost does not hold here.
  @Test func boundsAreTight() throws {
    let (depth, count) = (2048, 10)
    var keys = [Float](repeating: 256 * 20 * 0x1p-13, count: count * depth)
    for column in 0..<depth { keys[column] += 127 * 0x1p-13 }
    for row in 0..<count { keys[row * depth] = 32639 * 0x1p-13 }
    let values = (0..<count).map { Float($0 == 0 ? 1 : -1) }
    let pool = try KeyValuePool(
      layers: 1, heads: 1, depth: depth, width: 1, keys: .planes, values: .float32, pageSize: 256, pages: 1)
    let step = try KeyValueStep([pool.makeSequence()], appending: [count])
    try step.write(
      layer: 0, keys: Tensor(keys, shape: [count, 1, depth]), values: Tensor(values, shape: [count, 1, 1]))
    let query = Tensor<Float>(repeating: 0.285, shape: [1, 1, 1, depth])
    let result = try ScaledDotProductAttention().within(100, query, step.keyValues(layer: 0))
    let exact = try ScaledDotProductAttention()(query, step.keyValues(layer: 0))
    let error = abs(result.output[0, 0, 0, 0] - exact[0, 0, 0, 0])
    #expect(result.lowByteReads.read == 0)
    #expect(error <= result.bounds[0, 0, 0])
    #expect(error > 0.6 * result.bounds[0, 0, 0], "an error of \(error) under \(result.bounds[0, 0, 0])")
  }

  @Test(arguments: CachedAttentionTests.settings) func keepsToTheRules(
    setting: CachedAttentionTests.Setting
  ) throws {
    let inputs = CachedInputs(1300, heads: setting.heads, depth: setting.depth)
    let types = CachedTypes(keys: .planes, values: .int8)
    for append in [1, 5, 60] {
      let step = try self.step(inputs, types, pageSize: 64, append: append)
      let queries = inputs.queries.sliced(axis: 0, inputs.count - append..<inputs.count)
      let attend = ScaledDotProductAttention(mask: setting.mask, options: setting.options, on: Pools.two)
      let exact = try attend(.packed(queries, lengths: [append]), step.keyValues(layer: 0))
      let largest = try CachedTypes.stored(inputs.values, .int8).elements.map(\.magnitude).max()!
      for tolerance in [0, 0.001, 0.05] {
        let result = try attend.within(
          tolerance, .packed(queries, lengths: [append]), step.keyValues(layer: 0))
        for query in 0..<append {
          for head in 0..<setting.heads.query {
            let bound = result.bounds[head, query]
            #expect(Double(bound) <= max(tolerance, 0.005), "\(append) queries within \(tolerance)")
            for column in 0..<setting.depth {
              let error = abs(result.output[query, head, column] - exact[query, head, column])
              #expect(error <= bound * largest, "query \(query) of \(append), head \(head)")
            }
          }
        }
        if tolerance == 0 { #expect(result.lowByteReads.read > 0) }
      }
    }
  }

  /// At 0 the contract of attention over what is stored holds, as for a call without tolerance.
  @Test(arguments: CachedAttentionTests.settings) func toleranceZeroIsExact(
    setting: CachedAttentionTests.Setting
  ) throws {
    let inputs = CachedInputs(1300, heads: setting.heads, depth: setting.depth)
    let step = try self.step(inputs, CachedTypes(keys: .planes, values: .float32), pageSize: 64, append: 3)
    let queries = inputs.queries.sliced(axis: 0, inputs.count - 3..<inputs.count)
    let attend = ScaledDotProductAttention(mask: setting.mask, options: setting.options)
    let exact = try attend(.packed(queries, lengths: [3]), step.keyValues(layer: 0))
    let result = try attend.within(0, .packed(queries, lengths: [3]), step.keyValues(layer: 0))
    for (a, b) in zip(exact.elements, result.output.elements) { #expect(abs(a - b) <= 4e-6) }
  }

  @Test(arguments: CachedAttentionTests.settings) func bitsDoNotDependOnThreadsNorPages(
    setting: CachedAttentionTests.Setting
  ) throws {
    let inputs = CachedInputs(2500, heads: setting.heads, depth: setting.depth)
    let queries = inputs.queries.sliced(axis: 0, inputs.count - 2..<inputs.count)
    func result(_ pageSize: Int, _ pool: WorkerPool) throws -> BoundedAttentionResult<Float> {
      let step = try self.step(
        inputs, CachedTypes(keys: .planes, values: .int8), pageSize: pageSize, append: 2)
      let attend = ScaledDotProductAttention(mask: setting.mask, options: setting.options, on: pool)
      return try attend.within(0.01, .packed(queries, lengths: [2]), step.keyValues(layer: 0))
    }
    let expected = try result(2500, Pools.one)
    for pool in [Pools.one, Pools.two, Pools.three, Pools.seven] {
      for pageSize in [1, 16, 64, 100] {
        let result = try result(pageSize, pool)
        #expect(result.output.elements == expected.output.elements, "pages of \(pageSize)")
        #expect(result.bounds.elements == expected.bounds.elements, "pages of \(pageSize)")
        #expect(result.lowByteReads == expected.lowByteReads, "pages of \(pageSize)")
      }
    }
  }

  /// A sequence alone and beside others, of other lengths, padded or packed, from joined parts.
  @Test func bitsDoNotDependOnTheBatch() throws {
    let inputs = CachedInputs(1500, heads: HeadCounts(query: 4, keyValue: 2), depth: 48)
    let pool = try inputs.pool(CachedTypes(keys: .planes, values: .bfloat16), pageSize: 16, pages: 400)
    let counts = [1500, 3, 700, 1100]
    let sequences = try counts.map { count in
      let sequence = pool.makeSequence()
      try inputs.append(0..<count - 1, to: sequence)
      return sequence
    }
    let attend = ScaledDotProductAttention(mask: .causal, on: Pools.three)
    let step = try KeyValueStep(sequences, appending: counts.map { _ in 1 })
    let rows = try Tensor<Float>.concatenate(
      counts.map { inputs.keys.sliced(axis: 0, $0 - 1..<$0) }, axis: 0)
    let values = try Tensor<Float>.concatenate(
      counts.map { inputs.values.sliced(axis: 0, $0 - 1..<$0) }, axis: 0)
    try step.write(layer: 0, keys: rows, values: values)
    let query = inputs.queries.sliced(axis: 0, 7..<8)
    let together = try attend.within(
      0.01,
      .packed(
        Tensor<Float>.concatenate(counts.map { _ in query }, axis: 0), lengths: counts.map { _ in 1 }),
      step.keyValues(layer: 0))
    try step.commit()
    for (index, sequence) in sequences.enumerated() {
      let alone = try attend.within(
        0.01, .packed(query, lengths: [1]), sequence.view.keyValues(layer: 0))
      #expect(
        alone.output.elements == together.output.sliced(axis: 0, index..<index + 1).elements, "\(index)")
      #expect(
        alone.bounds.elements == together.bounds.sliced(axis: 1, index..<index + 1).elements, "\(index)")
    }
  }

  /// Parts of pools of their own, whose planes lie apart in other ways.
  @Test func joinedParts() throws {
    let inputs = CachedInputs(900, heads: HeadCounts(query: 4, keyValue: 2), depth: 48)
    let types = CachedTypes(keys: .planes, values: .float32)
    let attend = ScaledDotProductAttention(mask: .causal, on: Pools.two)
    func view(_ rows: Range<Int>, pageSize: Int, pages: Int) throws -> KeyValues {
      let sequence = try inputs.pool(types, pageSize: pageSize, pages: pages).makeSequence()
      try inputs.append(rows, to: sequence)
      return try sequence.view.keyValues(layer: 0)
    }
    let query = inputs.queries.sliced(axis: 0, 899..<900)
    let whole = try attend.within(0.01, .packed(query, lengths: [1]), view(0..<900, pageSize: 900, pages: 1))
    let joined = try attend.within(
      0.01, .packed(query, lengths: [1]),
      KeyValues(joining: [
        view(0..<333, pageSize: 64, pages: 9), view(333..<340, pageSize: 1, pages: 20),
        view(340..<900, pageSize: 600, pages: 1),
      ]))
    #expect(whole.lowByteReads.share > 0 && whole.lowByteReads.share < 1)
    #expect(joined.output.elements == whole.output.elements)
    #expect(joined.bounds.elements == whole.bounds.elements)
    #expect(joined.lowByteReads == whole.lowByteReads)
  }

  /// Low bytes of the heaviest key make it lighter: what was left unread then weighs more than it seemed to, and all is read.
  @Test(arguments: (0..<14).map { 0.140 + 0.002 * Double($0) })
  func boundsHoldWhereTheSumOfWeightsFalls(tolerance: Double) throws {
    let (depth, count) = (64, 1001)
    var keys: [Float] = []
    for row in 0..<count {
      for column in 0..<depth {
        // The first column makes the same unit for all rows; the others' low bytes take from the first key, and cancel in the rest.
        let high: Float = row == 0 ? 40 : 20
        let low: Float = row == 0 ? -127 : column.isMultiple(of: 2) ? 127 : -127
        keys.append(column == 0 ? 32639 * 0x1p-13 : (256 * high + low) * 0x1p-13)
      }
    }
    let values = (0..<count).map { Float($0 == 0 ? 1 : -1) }
    let pool = try KeyValuePool(
      layers: 1, heads: 1, depth: depth, width: 1, keys: .planes, values: .float32, pageSize: 64, pages: 16)
    let step = try KeyValueStep([pool.makeSequence()], appending: [count])
    try step.write(
      layer: 0, keys: Tensor(keys, shape: [count, 1, depth]), values: Tensor(values, shape: [count, 1, 1]))
    // The scores are 7.6 apart, so that a thousand keys weigh half as much as the first; what its low bytes take is 0.19.
    let scale = 7.6 / (63 * 20 * 256 * 0x1p-13)
    let query = Tensor<Float>(repeating: 1, shape: [1, 1, 1, depth])
    let attend = ScaledDotProductAttention(scale: scale, on: Pools.two)
    let exact = try attend(query, step.keyValues(layer: 0))
    let result = try attend.within(tolerance, query, step.keyValues(layer: 0))
    #expect(Double(result.bounds[0, 0, 0]) <= tolerance)
    #expect(abs(exact[0, 0, 0, 0] - result.output[0, 0, 0, 0]) <= result.bounds[0, 0, 0])
  }

  private func step(
    _ inputs: CachedInputs, _ types: CachedTypes, pageSize: Int, append: Int
  ) throws -> KeyValueStep {
    let pool = try inputs.pool(types, pageSize: pageSize, pages: (inputs.count + pageSize - 1) / pageSize)
    let sequence = pool.makeSequence()
    try inputs.append(0..<inputs.count - append, to: sequence)
    let step = try KeyValueStep([sequence], appending: [append])
    try inputs.write(inputs.count - append..<inputs.count, step)
    return step
  }
}
