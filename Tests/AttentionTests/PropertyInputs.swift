import Attention
import TestSupport

/// Queries, keys and values of a draw, stored as it says.
struct PropertyInputs<E: AttentionElement> {
  /// `[B, Hq, Tq, D]`, or `[total, Hq, D]` where sequences are packed.
  let queries: Tensor<E>
  /// `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]` as one tensor each, or `[total, Hkv, D]` and `[total, Hkv, Dv]`.
  let keys: Tensor<E>
  let values: Tensor<E>
  private let problem: PropertyProblem

  private var draw: PropertyDraw { problem.draw }

  /// What keys and values are stored in; the element type where nil.
  var types: (keys: PropertyDraw.Storage?, values: PropertyDraw.Storage?) { (draw.keyType, draw.valueType) }
  init(_ problem: PropertyProblem) throws {
    self.problem = problem
    let draw = problem.draw
    let shape = draw.shape
    func make(_ heads: Int, _ rows: Int, _ packedRows: Int, _ width: Int, _ number: UInt64) -> Tensor<E> {
      let isShared = number > 0
      let batch =
        isShared && (draw.sharing == .batch || draw.sharing == .both) ? min(1, shape.batch) : shape.batch
      let heads = isShared && (draw.sharing == .heads || draw.sharing == .both) ? min(1, heads) : heads
      let isPacked = isShared ? draw.source == .packed : draw.packsQueries
      return .normal(
        isPacked ? [packedRows, heads, width] : [batch, heads, rows, width],
        standardDeviation: number < 2 ? draw.magnitude : 1, seed: draw.dataSeed &+ number)
    }
    // A packed tensor may have rows beyond its last sequence.
    let extra = Int(draw.dataSeed % 3)
    let last = problem.sequences.last
    let totalQueries = last.map { $0.queryStart + $0.queryCount } ?? 0
    let totalKeys = last.map { $0.keyStart + $0.keyCount } ?? 0
    var q = make(shape.heads.query, shape.queries, totalQueries + extra, shape.headDimension, 0)
    var k = make(shape.heads.keyValue, shape.keys, totalKeys + extra, shape.headDimension, 1)
    var v = make(shape.heads.keyValue, shape.keys, totalKeys + extra, shape.valueDimension, 2)
    k = Self.rounded(k, to: draw.keyType)
    v = Self.rounded(v, to: draw.valueType)
    PropertyPoison(problem).spread(over: &q, &k, &v)
    let filler = E(nearest: .nan)
    queries = try PropertyStorage.store(q, seed: draw.storage[0], filler: filler)
    func share(_ tensor: Tensor<E>) throws -> Tensor<E> {
      if draw.sharing == .none { return tensor }
      return try tensor.broadcast(to: [shape.batch, shape.heads.keyValue, tensor.shape[2], tensor.shape[3]])
    }
    keys = try share(PropertyStorage.store(k, seed: draw.storage[1], filler: filler))
    values = try share(PropertyStorage.store(v, seed: draw.storage[2], filler: filler))
  }

  /// Numbers that both types hold.
  private static func rounded(_ tensor: Tensor<E>, to type: PropertyDraw.Storage?) -> Tensor<E> {
    switch type {
    case nil: tensor
    case .float32: tensor.converted(to: Float.self).converted(to: E.self)
    case .float64: tensor.converted(to: Double.self).converted(to: E.self)
    case .float16: tensor.converted(to: Float16.self).converted(to: E.self)
    case .bfloat16: tensor.converted(to: BFloat16.self).converted(to: E.self)
    case .int8: PropertyQuantization(tensor).numbers
    }
  }

  /// Queries, keys and values of one sequence, as a batch of one.
  func sequence(_ b: Int) -> (q: Tensor<E>, k: Tensor<E>, v: Tensor<E>) {
    func rows(_ tensor: Tensor<E>, _ isPacked: Bool, _ start: Int, _ count: Int) -> Tensor<E> {
      isPacked
        ? tensor.sliced(axis: 0, start..<start + count).permuted(1, 0, 2).expanded(axis: 0)
        : tensor.sliced(axis: 0, b..<b + 1)
    }
    let extent = problem.sequences[b]
    let isPacked = draw.source == .packed
    return (
      rows(queries, draw.packsQueries, extent.queryStart, extent.queryCount),
      rows(keys, isPacked, extent.keyStart, extent.keyCount),
      rows(values, isPacked, extent.keyStart, extent.keyCount)
    )
  }

  /// The queries as the operator takes them, or those of one sequence as a batch of its own.
  func operand(only sequence: Int? = nil) -> Queries<E> {
    if let sequence {
      let q = self.sequence(sequence).q
      return problem.hasQueryLengths
        ? .padded(q, lengths: [problem.sequences[sequence].queryCount]) : Queries(q)
    }
    let lengths = problem.sequences.map(\.queryCount)
    if draw.packsQueries { return .packed(queries, lengths: lengths) }
    return problem.hasQueryLengths ? .padded(queries, lengths: lengths) : Queries(queries)
  }

  /// Keys and values as the draw's source has them, or those of one sequence.
  func keyValues(only sequence: Int? = nil) throws -> KeyValues {
    let (k, v) = sequence.map { (self.sequence($0).k, self.sequence($0).v) } ?? (keys, values)
    let all = problem.sequences.map(\.keyCount)
    let lengths = sequence.map { [all[$0]] } ?? all
    switch draw.source {
    case .tensor: return stored(k, v, lengths: problem.hasKeyLengths ? lengths : nil)
    case .joined(let parts): return joined(k, v, parts, lengths)
    case .pages(let size): return try paged(k, v, size, lengths, only: sequence)
    case .packed:
      if sequence != nil { return stored(k, v, lengths: nil) }
      return stored(packed: k, v, lengths: lengths)
    }
  }

  /// The same in a fresh tensor each, without rows past the longest sequence where the source has none.
  func plainKeyValues() -> KeyValues {
    let lengths = problem.sequences.map(\.keyCount)
    if draw.source == .packed {
      return stored(packed: keys.contiguousCopy(), values.contiguousCopy(), lengths: lengths)
    }
    let rows = 0..<problem.longestKeys
    return stored(
      keys.sliced(axis: 2, rows).contiguousCopy(), values.sliced(axis: 2, rows).contiguousCopy(),
      lengths: lengths)
  }

  /// Keys and values cut anywhere, each second part in memory of its own.
  private func joined(_ k: Tensor<E>, _ v: Tensor<E>, _ parts: Int, _ lengths: [Int]) -> KeyValues {
    let cuts = [0] + Self.cuts(draw, parts) + [draw.shape.keys]
    let pieces = zip(cuts, cuts.dropFirst()).enumerated().map { number, cut in
      let (keys, values) = (k.sliced(axis: 2, cut.0..<cut.1), v.sliced(axis: 2, cut.0..<cut.1))
      // What a sequence has of this part.
      let used = problem.hasKeyLengths ? lengths.map { min(max(0, $0 - cut.0), cut.1 - cut.0) } : nil
      return number % 2 == 0
        ? stored(keys, values, lengths: used)
        : stored(keys.contiguousCopy(), values.contiguousCopy(), lengths: used)
    }
    return KeyValues(joining: pieces)
  }

  /// Where the keys are cut into this many parts; some may be empty.
  static func cuts(_ draw: PropertyDraw, _ parts: Int) -> [Int] {
    var random = SplitMix(seed: draw.dataSeed &+ 31)
    return (1..<max(1, parts)).map { _ in random.int(0...draw.shape.keys) }.sorted()
  }

  /// Pages in any order among others that no table names; shared ones where sequences share their keys.
  private func paged(
    _ k: Tensor<E>, _ v: Tensor<E>, _ size: Int, _ lengths: [Int], only: Int?
  ) throws -> KeyValues {
    var random = SplitMix(seed: draw.dataSeed &+ 37)
    let (batch, heads, blocks) = (k.shape[0], k.shape[1], k.shape[2] / size)
    let isShared = draw.sharing == .batch || draw.sharing == .both
    let used = isShared ? min(1, batch) * blocks : batch * blocks
    let pageCount = used + random.int(0...3)
    let order = (0..<pageCount).shuffled(using: &random)
    var table: [Int32] = []
    for b in 0..<batch {
      let keyCount = lengths[b]
      for block in 0..<blocks {
        let isUsed = block * size < keyCount
        // Pages past a sequence's length need not exist.
        table.append(isUsed ? Int32(order[(isShared ? 0 : b * blocks) + block]) : random.pick([-1, .max, 0]))
      }
    }
    func pages(_ tensor: Tensor<E>, _ storage: UInt64?) throws -> Tensor<E> {
      let width = tensor.shape[3]
      let source = tensor.elements
      var elements = [E](repeating: E(nearest: .nan), count: pageCount * size * heads * width)
      for b in 0..<(isShared ? min(1, batch) : batch) {
        for h in 0..<heads {
          for j in 0..<blocks * size {
            let row = (order[b * blocks + j / size] * size + j % size) * heads + h
            let from = ((b * heads + h) * tensor.shape[2] + j) * width
            for d in 0..<width { elements[row * width + d] = source[from + d] }
          }
        }
      }
      return try PropertyStorage.store(
        Tensor(elements, shape: [pageCount, size, heads, width]), seed: storage, filler: E(nearest: .nan))
    }
    return stored(
      pages: try pages(k, draw.storage[1]), try pages(v, draw.storage[2]),
      try PropertyStorage.store(
        Tensor(table, shape: [batch, blocks]), seed: draw.storage[3], filler: .max), lengths: lengths)
  }
}
