import Attention
import Parallelism

/// What a call gave: numbers in row-major order.
struct PropertyResult: Equatable {
  /// `[B, Hq, Tq, Dv]`, or `[total, Hq, Dv]` where sequences are packed.
  var output: [Double]
  /// `[B, Hq, Tq]`, or `[Hq, total]`; nil where the form of the call has none.
  var logSumExp: [Double]?

  init(_ output: Tensor<some AttentionElement>, _ logSumExp: Tensor<some AttentionElement>?) {
    self.output = output.elements.map(\.doubleValue)
    self.logSumExp = logSumExp?.elements.map(\.doubleValue)
  }

  /// The same numbers, bit for bit; any NaN is like any other.
  static func == (left: PropertyResult, right: PropertyResult) -> Bool {
    func same(_ a: [Double], _ b: [Double]) -> Bool {
      a.count == b.count && zip(a, b).allSatisfy { $0.bitPattern == $1.bitPattern || ($0.isNaN && $1.isNaN) }
    }
    if !same(left.output, right.output) { return false }
    guard let a = left.logSumExp, let b = right.logSumExp else { return true }
    return same(a, b)
  }
}

/// A draw's problem, ready to be computed.
struct PropertyCall<E: AttentionElement> {
  let problem: PropertyProblem
  let inputs: PropertyInputs<E>
  private var draw: PropertyDraw { problem.draw }

  init(_ draw: PropertyDraw) throws {
    problem = try PropertyProblem(draw)
    inputs = try PropertyInputs(problem)
  }

  static func pool(_ threads: Int) -> WorkerPool {
    switch threads {
    case 1: Pools.one
    case 2: Pools.two
    case 3: Pools.three
    default: Pools.seven
    }
  }

  /// The result of the draw's own entry.
  func run() throws -> PropertyResult {
    let pool = Self.pool(draw.threads)
    let (q, k, v) = (inputs.queries, inputs.keys, inputs.values)
    switch draw.entry {
    case .forced, .withLogSumExp: return try run(on: pool)
    case .returning:
      let output = try scaledDotProductAttention(
        queries: q, keys: k, values: v, scale: draw.scale, mask: problem.mask(), options: problem.options,
        on: pool)
      return PropertyResult(output, nil as Tensor<Float>?)
    case .intoTensor: return try runIntoTensor(pool)
    case .intoView: return try runIntoView(pool)
    case .merged: return try runMerged(pool)
    case .scores: preconditionFailure("scores have a check of their own")
    }
  }

  /// The result with another number of threads; of one sequence alone; or of keys and values in fresh tensors.
  func run(on pool: WorkerPool, only sequence: Int? = nil, isPlain: Bool = false) throws -> PropertyResult {
    let mask = try problem.mask(only: sequence)
    let q = sequence.map { inputs.sequence($0).q } ?? inputs.queries
    let keyValues =
      isPlain
      ? KeyValues(keys: inputs.keys.contiguousCopy(), values: inputs.values.contiguousCopy())
      : try inputs.keyValues(only: sequence)
    let packing = sequence == nil ? try inputs.packing : nil
    if case .forced(let variant) = draw.entry {
      let (output, sums) = try variant.attention(
        queries: isPlain ? q.contiguousCopy() : q, keyValues: keyValues, packing: packing, scale: draw.scale,
        mask: mask, options: problem.options, on: pool)
      return PropertyResult(output, sums)
    }
    if let packing {
      let (output, sums) = try packedScaledDotProductAttention(
        queries: q, keys: inputs.keys, values: inputs.values, sequences: packing, scale: draw.scale,
        mask: mask, options: problem.options, on: pool)
      return PropertyResult(output, sums)
    }
    if draw.source == .tensor && sequence == nil && !isPlain {
      let (output, sums) = try scaledDotProductAttentionWithLogSumExp(
        queries: q, keys: inputs.keys, values: inputs.values, scale: draw.scale, mask: mask,
        options: problem.options, on: pool)
      return PropertyResult(output, sums)
    }
    let (output, sums) = try scaledDotProductAttentionWithLogSumExp(
      queries: q, keyValues: keyValues, scale: draw.scale, mask: mask, options: problem.options, on: pool)
    return PropertyResult(output, sums)
  }

  var outputShape: Shape {
    var shape = inputs.queries.shape
    shape[shape.count - 1] = draw.shape.valueDimension
    return shape
  }

  private func runIntoTensor(_ pool: WorkerPool) throws -> PropertyResult {
    var output = Tensor<E>(repeating: E(nearest: 77), shape: outputShape)
    if draw.storage[3] != nil { output = output.permuted(0, 2, 1, 3).contiguousCopy().permuted(0, 2, 1, 3) }
    try scaledDotProductAttention(
      queries: inputs.queries, keys: inputs.keys, values: inputs.values, scale: draw.scale,
      mask: problem.mask(), options: problem.options, on: pool, into: &output)
    return PropertyResult(output, nil as Tensor<Float>?)
  }

  /// Into strided memory, none of which may change beside the result.
  private func runIntoView(_ pool: WorkerPool) throws -> PropertyResult {
    let place = PropertyStorage(outputShape, seed: draw.storage[3])
    var memory = Tensor<E>(repeating: E(nearest: 77), shape: [place.count])
    var sums = Tensor<E.Accumulator>.zeros(Shape(Array(outputShape.dropLast())))
    let isPacked = draw.source == .packed
    let packing = try inputs.packing
    try memory.withMutableView { memory in
      try sums.withMutableView { sums in
        let view = place.view(memory.base, outputShape)
        if let packing {
          try packedScaledDotProductAttention(
            queries: inputs.queries, keys: inputs.keys, values: inputs.values, sequences: packing,
            scale: draw.scale, mask: problem.mask(), options: problem.options, on: pool, into: view)
        } else {
          try scaledDotProductAttention(
            queries: inputs.queries, keys: inputs.keys, values: inputs.values, scale: draw.scale,
            mask: problem.mask(), options: problem.options, on: pool, into: view, logSumExp: sums)
        }
      }
    }
    let owner = memory
    let output = try owner.withUnsafePointer { base in
      try Tensor(unsafeExternal: base + place.start, shape: outputShape, strides: place.strides) { _ = owner }
    }
    var untouched = memory
    untouched.withMutableView { memory in
      let view = place.view(memory.base, outputShape)
      try? view.assign(from: Tensor(repeating: E(nearest: 77), shape: outputShape))
    }
    guard untouched.elements.allSatisfy({ $0 == E(nearest: 77) }) else {
      throw AttentionError("output", "memory beside the view was written")
    }
    return PropertyResult(output, isPacked ? nil : sums)
  }

  /// Attention over each part of the keys, under the definition's mask as one additive tensor, merged.
  private func runMerged(_ pool: WorkerPool) throws -> PropertyResult {
    let shape = draw.shape
    let cuts = [0] + PropertyInputs<E>.cuts(draw, 3) + [shape.keys]
    let parts = try zip(cuts, cuts.dropFirst()).map { start, end in
      var bias: [Double] = []
      for b in 0..<shape.batch {
        for h in 0..<shape.queryHeads {
          for i in 0..<shape.queries {
            for j in start..<end {
              bias.append(problem.rules.isVisible(b, h, i, j) ? problem.rules.bias(b, h, i, j) : -.infinity)
            }
          }
        }
      }
      let mask = try Tensor(bias, shape: [shape.batch, shape.queryHeads, shape.queries, end - start])
      return try scaledDotProductAttentionWithLogSumExp(
        queries: inputs.queries, keys: inputs.keys.sliced(axis: 2, start..<end),
        values: inputs.values.sliced(axis: 2, start..<end), scale: draw.scale, mask: .additive(mask),
        options: problem.options, on: pool)
    }
    let merged = try mergeAttention(parts, on: pool)
    return PropertyResult(merged.output, merged.logSumExp)
  }
}
