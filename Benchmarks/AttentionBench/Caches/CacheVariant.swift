import Attention
import BenchmarkKit

/// A way to keep a shape's keys and values in a pool.
struct CacheVariant: Sendable {
  /// What follows the shape's name: `int8`, `page16`.
  let suffix: String
  /// What keys and values are stored in; the queries' own type where nil.
  var keys: KeyValueType?
  var values: KeyValueType?
  /// Rows of a page; all of a sequence's in one where nil.
  var pageSize: Int?
  /// What attention keeps to; nil for all that is stored.
  var tolerance: Double?
  /// Whether sequences are rings that have turned: twice as many tokens as the shape has were appended, and half of them overwritten.
  var isRing = false

  static let slab = CacheVariant(suffix: "slab")
  static let policies = [
    slab, CacheVariant(suffix: "page16", pageSize: 16), CacheVariant(suffix: "page64", pageSize: 64),
    CacheVariant(suffix: "ring", pageSize: 64, isRing: true),
  ]
  static let types = [
    CacheVariant(suffix: "bf16", keys: .bfloat16, values: .bfloat16, pageSize: 64),
    CacheVariant(suffix: "int8", keys: .int8, values: .int8, pageSize: 64),
    CacheVariant(suffix: "int8-int4", keys: .int8, values: .int4, pageSize: 64),
    CacheVariant(suffix: "planes", keys: .planes, values: .int8, pageSize: 64, tolerance: 0.01),
  ]

  /// The types for queries of some type; nil where no pool keeps it.
  func types<E: BenchElement>(_: E.Type) -> (keys: KeyValueType, values: KeyValueType)? {
    let own: KeyValueType? =
      switch E.benchType {
      case .f32: .float32
      case .f16: .float16
      case .bf16: .bfloat16
      case .f64: nil
      }
    guard let own else { return nil }
    return (keys ?? own, values ?? own)
  }
}

/// A shape's keys and values in a pool, and one call of attention over them.
final class CachedCall<E: BenchElement> {
  let shape: BenchmarkShape
  let variant: CacheVariant
  let pool: KeyValuePool
  let inputs: BenchInputs<E>
  private let attention: ScaledDotProductAttention
  private let queries: Queries<E>
  private let keyValues: KeyValues
  private(set) var output: Tensor<E>
  /// Of a variant with a tolerance.
  private var bounds: Tensor<Float>

  /// - Throws: where there is no such pool.
  init?(_ variant: CacheVariant, _ inputs: BenchInputs<E>, on threads: WorkerPool) throws {
    guard let types = variant.types(E.self) else { return nil }
    let sizes = inputs.shape.sizes
    self.variant = variant
    self.inputs = inputs
    shape = inputs.shape
    // A ring has room for a window and an append; here both are half of what it shows, and it holds a page more.
    let pageSize = variant.pageSize ?? sizes.keys
    let pagesEach = (sizes.keys + sizes.keys / 2 + pageSize - 1) / pageSize + 1
    let pool = try KeyValuePool(
      layers: 1, heads: sizes.keyValueHeads, depth: sizes.headDim, width: sizes.valueDim, keys: types.keys,
      values: types.values, pageSize: pageSize, pages: sizes.batch * pagesEach)
    self.pool = pool
    try Self.shuffle(pool)
    let sequences = try (0..<sizes.batch).map { index in
      let sequence =
        variant.isRing
        ? try pool.makeSequence(
          window: sizes.keys - 1, keepingFirst: 0, longestAppend: max(1, sizes.keys / 2))
        : pool.makeSequence()
      if variant.isRing { try Self.append(inputs, index, 0..<sizes.keys, to: sequence) }
      try Self.append(inputs, index, 0..<sizes.keys - 1, to: sequence)
      return sequence
    }
    let step = try KeyValueStep(sequences, appending: sequences.map { _ in 1 })
    try step.write(
      layer: 0, keys: Self.tokens(inputs.keys, sizes.keys - 1..<sizes.keys),
      values: Self.tokens(inputs.values, sizes.keys - 1..<sizes.keys))
    keyValues = try step.keyValues(layer: 0)
    try step.commit()
    attention = inputs.attention(on: threads)
    queries = Queries(inputs.queries)
    output = inputs.unwrittenOutput()
    bounds = .zeros([sizes.batch, sizes.queryHeads, sizes.queries])
    try run()
  }

  /// A token range of all sequences, `[B · T, H, D]`.
  private static func tokens(_ tensor: Tensor<E>, _ rows: Range<Int>) throws -> Tensor<E> {
    let part = tensor.sliced(axis: 2, rows).permuted(0, 2, 1, 3).contiguous()
    return try part.reshaped(to: [part.shape[0] * part.shape[1], part.shape[2], part.shape[3]])
  }

  private static func append(
    _ inputs: BenchInputs<E>, _ index: Int, _ rows: Range<Int>, to sequence: KeyValueSequence
  ) throws {
    let (k, v) = (
      inputs.keys.sliced(axis: 0, index..<index + 1), inputs.values.sliced(axis: 0, index..<index + 1)
    )
    for first in stride(from: rows.lowerBound, to: rows.upperBound, by: 1024) {
      let part = first..<min(first + 1024, rows.upperBound)
      let step = try KeyValueStep([sequence], appending: [part.count])
      try step.write(layer: 0, keys: tokens(k, part), values: tokens(v, part))
      try step.commit()
    }
  }

  /// Leaves the pool's free pages in no order, as those of a server are after a while.
  private static func shuffle(_ pool: KeyValuePool) throws {
    var all = try (0..<pool.freePages).map { _ in
      let sequence = pool.makeSequence()
      let step = try KeyValueStep([sequence], appending: [1])
      let row = Tensor<Float>.zeros([1, pool.heads, pool.depth])
      try step.write(layer: 0, keys: row, values: Tensor<Float>.zeros([1, pool.heads, pool.width]))
      try step.commit()
      return sequence
    }
    var place = 0
    while !all.isEmpty {
      // A large odd number leaves no two neighbours side by side.
      place = (place + 0x9E37_79B9) % all.count
      all.swapAt(place, all.count - 1)
      all.removeLast()
    }
  }

  func run() throws {
    try output.withMutableView { (view) throws(AttentionError) in
      guard let tolerance = variant.tolerance else {
        return try attention.write(queries, keyValues, to: view)
      }
      try bounds.withMutableView { (bounds) throws(AttentionError) in
        _ = try attention.write(
          within: tolerance, queries, keyValues, to: view, bounds: bounds)
      }
    }
  }

  func plan() throws -> AttentionPlan { try attention.plan(queries, keyValues) }

  /// Bytes of keys and values that a call reads.
  var bytes: Double { Double(pool.bytesPerToken * shape.sizes.batch * shape.sizes.keys) }
}
