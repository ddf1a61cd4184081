import Attention
import Testing

/// Keys and values that lie in parts or in pages give, bit for bit, what one tensor gives.
@Suite struct KeyValuesTests {
  private static let shape = shape(queries: 70)

  private static func shape(queries: Int) -> ProblemShape {
    ProblemShape(
      batch: 2, queryHeads: 4, keyValueHeads: 2, queries: queries, keys: 600, headDimension: 16,
      valueDimension: 12)
  }

  /// Many queries read tiles; few ones stream each run where it lies.
  @Test(arguments: [[600], [1, 599], [256, 344], [0, 300, 0, 299, 1], [599, 1]], [70, 2])
  func joinedPartsAreOneTensor(lengths: [Int], queries: Int) throws {
    try check(lengths, queries, Float.self)
    try check(lengths, queries, Float16.self)
    try check(lengths, queries, Double.self)
  }

  private func check<E: AttentionElement>(_ lengths: [Int], _ queries: Int, _: E.Type) throws {
    let (q, k, v) = Self.shape(queries: queries).inputs(E.self)
    let mask = AttentionMask.causal & .window(left: 400)
    let expected = try scaledDotProductAttentionWithLogSumExp(queries: q, keys: k, values: v, mask: mask)
    var start = 0
    var parts: [KeyValues<E>] = []
    for length in lengths {
      // Copies, so that no part happens to lie beside another.
      let range = start..<start + length
      parts.append(
        KeyValues(
          keys: k.sliced(axis: 2, range).contiguousCopy(), values: v.sliced(axis: 2, range).contiguousCopy()))
      start += length
    }
    let result = try scaledDotProductAttentionWithLogSumExp(
      queries: q, keyValues: KeyValues(joining: parts), mask: mask)
    #expect(
      result.output == expected.output && result.logSumExp == expected.logSumExp,
      "\(E.self) \(lengths) \(queries)"
    )
  }

  /// Rows whose columns are not neighbours are brought into scratch some at a time.
  @Test(arguments: [70, 2]) func columnsNeedNotBeNeighbours(queries: Int) throws {
    func check<E: AttentionElement>(_: E.Type) throws {
      let (q, k, v) = Self.shape(queries: queries).inputs(E.self)
      func turned(_ x: Tensor<E>) -> Tensor<E> {
        x.permuted(0, 1, 3, 2).contiguousCopy().permuted(0, 1, 3, 2)
      }
      let expected = try scaledDotProductAttention(queries: q, keys: k, values: v, mask: .causal)
      let result = try scaledDotProductAttention(
        queries: q, keys: turned(k), values: turned(v), mask: .causal)
      #expect(result == expected, "\(E.self) \(queries)")
    }
    try check(Float.self)
    try check(Float16.self)
    try check(BFloat16.self)
    try check(Double.self)
  }

  /// Wide rows make tiles narrower, and by how much must not depend on where the rows lie.
  @Test(arguments: [128, 320, 512]) func wideRowsAreTheSameInParts(width: Int) throws {
    func check<E: AttentionElement>(_: E.Type) throws {
      let shape = ProblemShape(
        queryHeads: 1, keyValueHeads: 1, queries: 200, keys: 700, headDimension: width, valueDimension: width)
      let (q, k, v) = shape.inputs(E.self)
      func part(_ range: Range<Int>) -> KeyValues<E> {
        KeyValues(
          keys: k.sliced(axis: 2, range).contiguousCopy(), values: v.sliced(axis: 2, range).contiguousCopy())
      }
      let joined = KeyValues(joining: [part(0..<300), part(300..<700)])
      let result = try scaledDotProductAttentionWithLogSumExp(queries: q, keyValues: joined).output
      #expect(try result == scaledDotProductAttention(queries: q, keys: k, values: v), "\(E.self) \(width)")
    }
    try check(Float.self)
    try check(Double.self)
  }

  @Test func aPrefixCanBeShared() throws {
    let (q, _, _) = Self.shape.inputs(Float.self)
    let prefix = Tensor<Float>.normal([1, 2, 100, 16], seed: 5)
    let suffix = Tensor<Float>.normal([2, 2, 30, 16], seed: 6)
    let shared = try prefix.broadcast(to: [2, 2, 100, 16])
    let joined = KeyValues(joining: [
      KeyValues(keys: shared, values: shared), KeyValues(keys: suffix, values: suffix),
    ])
    let whole = try Tensor.concatenate([shared, suffix], axis: 2)
    let result = try scaledDotProductAttentionWithLogSumExp(queries: q, keyValues: joined, mask: .causal)
    #expect(
      try result.output == scaledDotProductAttention(queries: q, keys: whole, values: whole, mask: .causal))
  }

  @Test(arguments: [1, 7, 16, 256, 600], [70, 2])
  func pagesAreOneTensor(pageSize: Int, queries: Int) throws {
    let (q, k, v) = Self.shape(queries: queries).inputs(Float.self)
    let pagesEach = (600 + pageSize - 1) / pageSize
    let (paged, table) = try pages(k, v, pageSize, pagesEach)
    let lengths = [600, 333]
    let mask = AttentionMask.keyLengths(lengths) & .causal
    let expected = try scaledDotProductAttentionWithLogSumExp(queries: q, keys: k, values: v, mask: mask)
    let source = KeyValues(keyPages: paged.keys, valuePages: paged.values, blockTable: table)
    let result = try scaledDotProductAttentionWithLogSumExp(queries: q, keyValues: source, mask: mask)
    #expect(
      result.output == expected.output && result.logSumExp == expected.logSumExp,
      "pages of \(pageSize), \(queries)")
  }

  /// Shuffled pages full of NaN where no position lies; entries of pages that no sequence reaches are −1.
  private func pages(
    _ k: Tensor<Float>, _ v: Tensor<Float>, _ size: Int, _ pagesEach: Int
  ) throws -> (paged: (keys: Tensor<Float>, values: Tensor<Float>), table: Tensor<Int32>) {
    let count = 2 * pagesEach + 1
    var keys = Tensor<Float>(repeating: .nan, shape: [count, size, 2, 16])
    var values = Tensor<Float>(repeating: .nan, shape: [count, size, 2, 12])
    var numbers = (0..<count).map { Int32($0) }
    var generator = SplitMix(seed: UInt64(size))
    numbers.shuffle(using: &generator)
    var table: [Int32] = []
    for (b, length) in [600, 333].enumerated() {
      for block in 0..<pagesEach {
        let start = block * size
        guard start < length else {
          table.append(-1)
          continue
        }
        let number = numbers[b * pagesEach + block]
        table.append(number)
        for j in start..<min(length, start + size) {
          for h in 0..<2 {
            for d in 0..<16 { keys[Int(number), j - start, h, d] = k[b, h, j, d] }
            for d in 0..<12 { values[Int(number), j - start, h, d] = v[b, h, j, d] }
          }
        }
      }
    }
    return ((keys, values), try Tensor(table, shape: [2, pagesEach]))
  }

  @Test func allFormsOfACallAgree() throws {
    let (q, k, v) = Self.shape.inputs(Float.self)
    let source = KeyValues(keys: k, values: v)
    let expected = try scaledDotProductAttentionWithLogSumExp(queries: q, keyValues: source, mask: .causal)
      .output
    #expect(try scaledDotProductAttention(queries: q, keyValues: source, mask: .causal) == expected)
    // In the layout of a projection.
    var output = Tensor<Float>(repeating: .nan, shape: [2, 70, 4, 12]).permuted(0, 2, 1, 3)
    let strides = output.strides
    try scaledDotProductAttention(queries: q, keyValues: source, mask: .causal, into: &output)
    #expect(output == expected && output.strides == strides)
    var wrong = Tensor<Float>.zeros([2, 4, 70, 13])
    #expect {
      try scaledDotProductAttention(queries: q, keyValues: source, into: &wrong)
    } throws: {
      ($0 as? AttentionError)?.argument == "output"
    }
  }

  @Test func refusesPagesThatDoNotExist() throws {
    let q = Tensor<Float>.zeros([1, 1, 1, 4])
    let pages = Tensor<Float>.zeros([3, 8, 1, 4])
    func refusal(
      _ table: [Int32], _ shape: Shape, _ mask: AttentionMask = .none, values: Tensor<Float>? = nil
    ) throws
      -> String?
    {
      let source = KeyValues(
        keyPages: pages, valuePages: values ?? pages, blockTable: try Tensor(table, shape: shape))
      do {
        _ = try scaledDotProductAttentionWithLogSumExp(queries: q, keyValues: source, mask: mask)
        return nil
      } catch { return error.argument }
    }
    #expect(try refusal([0, 2], [1, 2]) == nil)
    #expect(try refusal([0, 3], [1, 2]) == "blockTable")
    #expect(try refusal([-1, 0], [1, 2]) == "blockTable")
    #expect(try refusal([0, 99], [1, 2], .keyLengths([8])) == nil)
    #expect(try refusal([0, 99], [1, 2], .keyLengths([9])) == "blockTable")
    #expect(try refusal([0, 1], [2]) == "blockTable")
    #expect(try refusal([0, 1], [2, 1]) == "blockTable")
    #expect(try refusal([0, 1], [1, 2], values: .zeros([3, 7, 1, 4])) == "valuePages")
  }

  @Test func refusesPartsThatDoNotFit() throws {
    let q = Tensor<Float>.zeros([1, 2, 3, 4])
    func part(_ keys: Shape, _ values: Shape) -> KeyValues<Float> {
      KeyValues(keys: .zeros(keys), values: .zeros(values))
    }
    let good = part([1, 2, 5, 4], [1, 2, 5, 6])
    func refusal(_ parts: [KeyValues<Float>]) -> String? {
      do {
        _ = try scaledDotProductAttentionWithLogSumExp(queries: q, keyValues: KeyValues(joining: parts))
        return nil
      } catch { return error.argument }
    }
    #expect(refusal([good, good]) == nil)
    #expect(refusal([]) == "keyValues")
    #expect(refusal([good, part([1, 1, 5, 4], [1, 1, 5, 6])]) == "keyValues")
    #expect(refusal([good, part([1, 2, 5, 4], [1, 2, 5, 7])]) == "keyValues")
    #expect(refusal([good, part([1, 2, 5, 4], [1, 2, 4, 6])]) == "keyValues")
    #expect(refusal([good, part([2, 5, 4], [1, 2, 4, 6])]) == "keyValues")
    let paged = KeyValues<Float>(
      keyPages: .zeros([1, 1, 2, 4]), valuePages: .zeros([1, 1, 2, 6]), blockTable: .zeros([1, 1]))
    #expect(refusal([good, paged]) == "keyValues")
  }
}
