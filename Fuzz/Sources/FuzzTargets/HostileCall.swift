import Attention

/// Sizes of a problem that most of its arguments agree on.
struct HostileSizes {
  let batch: Int
  let queryHeads: Int
  let keyHeads: Int
  let queries: Int
  let keys: Int
  let depth: Int
  let width: Int

  init(_ input: inout InputBytes) {
    batch = input.int(0...3)
    keyHeads = input.int(1...2)
    queryHeads = keyHeads * input.int(1...3)
    queries = input.int(0...6)
    keys = input.int(0...20)
    depth = input.int(1...9)
    width = input.int(1...9)
  }
}

extension InputBytes {
  mutating func queries(_ sizes: HostileSizes) throws(AttentionError) -> Queries<Float> {
    let (B, Hq, Tq, D) = (sizes.batch, sizes.queryHeads, sizes.queries, sizes.depth)
    switch int(0...2) {
    case 0: return Queries(try tensor(shape([B, Hq, Tq, D]), Float.self))
    case 1:
      let lengths = lengths(B, most: Tq)
      return .padded(try tensor(shape([B, Hq, Tq, D]), Float.self), lengths: lengths)
    default:
      let lengths = lengths(B, most: Tq)
      return .packed(try tensor(shape([B * Tq, Hq, D]), Float.self), lengths: lengths)
    }
  }

  /// - Parameter depth: how many more times parts may be joined.
  mutating func keyValues(_ sizes: HostileSizes, joining depth: Int = 2) throws(AttentionError) -> KeyValues {
    let (B, Hkv, Tk) = (sizes.batch, sizes.keyHeads, sizes.keys)
    func source(_ lengths: [Int]) -> (Shape, Shape) {
      let first = shape(lengths + [sizes.depth])
      // Mostly the same but for the columns.
      let second = chance(7) ? Shape(Array(first.dropLast()) + [sizes.width]) : shape(lengths + [sizes.width])
      return (first, second)
    }
    func pair(_ lengths: [Int]) throws(AttentionError) -> (any KeyValueTensor, any KeyValueTensor) {
      let (first, second) = source(lengths)
      return (try keyValueTensor(first), try keyValueTensor(second))
    }
    func tensors(_ k: some KeyValueTensor, _ v: some KeyValueTensor, _ lengths: [Int]?) -> KeyValues {
      KeyValues(keys: k, values: v, lengths: lengths)
    }
    func packed(_ k: some KeyValueTensor, _ v: some KeyValueTensor, _ lengths: [Int]) -> KeyValues {
      KeyValues(packedKeys: k, values: v, lengths: lengths)
    }
    switch int(0...(depth > 0 ? 3 : 2)) {
    case 0:
      let (k, v) = try pair([B, Hkv, Tk])
      return tensors(k, v, chance(4) ? lengths(B, most: Tk) : nil)
    case 1:
      let (k, v) = try pair([B * Tk, Hkv])
      return packed(k, v, lengths(B, most: Tk))
    case 2: return try pages(sizes)
    default:
      var parts: [KeyValues] = []
      for _ in 0..<int(0...3) { parts.append(try keyValues(sizes, joining: depth - 1)) }
      return KeyValues(joining: parts)
    }
  }

  private mutating func pages(_ sizes: HostileSizes) throws(AttentionError) -> KeyValues {
    let (pages, pageSize) = (int(0...4), int(0...5))
    let columns = pageSize == 0 ? 1 : (sizes.keys + pageSize - 1) / pageSize
    let k = try keyValueTensor(shape([pages, pageSize, sizes.keyHeads, sizes.depth]))
    let v = try keyValueTensor(shape([pages, pageSize, sizes.keyHeads, sizes.width]))
    let tableShape = shape([sizes.batch, columns])
    guard let count = tableShape.checkedElementCount, count <= 1 << 12 else {
      throw AttentionError("shape", "\(tableShape) given, expected few elements")
    }
    var entries = (0..<count).map { _ in Int32(int(0...max(0, pages - 1))) }
    if chance(2), count > 0 {
      entries[int(0...min(count, 1 << 15) - 1)] = Int32(truncatingIfNeeded: anyInt())
    }
    let table = try Tensor(entries, shape: tableShape)
    let lengths = lengths(sizes.batch, most: columns * pageSize)
    func made(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
      KeyValues(keyPages: k, valuePages: v, pageTable: table, lengths: lengths)
    }
    return made(k, v)
  }

  mutating func attention(_ sizes: HostileSizes) throws(AttentionError) -> ScaledDotProductAttention {
    let (B, Hq, Tq, Tk) = (sizes.batch, sizes.queryHeads, sizes.queries, sizes.keys)
    var attend = ScaledDotProductAttention(on: Pools.all[int(0...2)])
    for _ in 0..<int(0...2) { attend.mask = attend.mask & (try rule([B, Hq, Tq, Tk])) }
    if chance(2) { attend.scale = anyDouble() }
    if chance(2) { attend.options.softcap = anyDouble() }
    if chance(1) { attend.options.sinks = (0..<(chance(1) ? int(0...4) : Hq)).map { _ in anyDouble() } }
    if chance(1) { attend.options.softmaxPrecision = .float64 }
    return attend
  }

  private mutating func rule(_ scores: [Int]) throws(AttentionError) -> AttentionMask {
    func maskShape() -> Shape {
      shape(Array(scores.map { chance(2) ? 1 : $0 }.dropFirst(int(0...3))))
    }
    switch int(0...4) {
    case 0: return .causal(alignment(scores[0]))
    case 1:
      return .window(
        left: chance(4) ? anyInt() : nil, right: chance(4) ? anyInt() : nil,
        keepingFirst: chance(2) ? anyInt() : 0, chance(4) ? alignment(scores[0]) : nil)
    case 2: return .alibi(slopes: (0..<(chance(1) ? int(0...4) : scores[1])).map { _ in anyDouble() })
    case 3: return .additive(try tensor(maskShape(), Float.self))
    default:
      let numbers = try tensor(maskShape(), Float.self)
      return .boolean(try Tensor(numbers.elements.map { $0 > -0.5 }, shape: numbers.shape))
    }
  }
}
