import Attention
import Parallelism
import TestSupport

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

  /// The result of the draw's own entry.
  func run() throws -> PropertyResult {
    let pool = Pools.of(draw.threads)
    switch draw.entry {
    case .forced, .withLogSumExp: return try run(on: pool)
    case .returning:
      let output = try problem.attention(on: pool)(inputs.operand(), inputs.keyValues())
      return PropertyResult(output, nil as Tensor<Float>?)
    case .intoTensor: return try runIntoTensor(pool)
    case .intoView: return try runIntoView(pool)
    case .planned: return try runPlanned(pool)
    case .merged: return try runMerged(pool)
    case .scores: preconditionFailure("scores have a check of their own")
    }
  }

  /// The result with another number of threads; of one sequence alone; or of keys and values in fresh tensors.
  func run(on pool: WorkerPool, only sequence: Int? = nil, isPlain: Bool = false) throws -> PropertyResult {
    let attend = try problem.attention(only: sequence, on: pool)
    let queries = inputs.operand(only: sequence)
    let keyValues = isPlain ? inputs.plainKeyValues() : try inputs.keyValues(only: sequence)
    if case .forced(let variant) = draw.entry {
      let (output, sums) = try attend.withLogSumExp(queries, keyValues, forcing: variant)
      return PropertyResult(output, sums)
    }
    let (output, sums) = try attend.withLogSumExp(queries, keyValues)
    return PropertyResult(output, sums)
  }

  var outputShape: Shape {
    var shape = inputs.queries.shape
    shape[shape.count - 1] = draw.shape.valueDimension
    return shape
  }

  private func runIntoTensor(_ pool: WorkerPool) throws -> PropertyResult {
    var output = Tensor<E>(repeating: E(nearest: 77), shape: outputShape)
    // Rows and heads change places in memory.
    if draw.storage[3] != nil {
      output =
        draw.packsQueries
        ? output.permuted(1, 0, 2).contiguousCopy().permuted(1, 0, 2)
        : output.permuted(0, 2, 1, 3).contiguousCopy().permuted(0, 2, 1, 3)
    }
    let (attend, queries, keyValues) = try (
      problem.attention(on: pool), inputs.operand(), inputs.keyValues()
    )
    try output.withMutableView { (view) throws(AttentionError) in
      try attend.write(queries, keyValues, to: view)
    }
    return PropertyResult(output, nil as Tensor<Float>?)
  }

  /// By a plan, the second time it runs.
  private func runPlanned(_ pool: WorkerPool) throws -> PropertyResult {
    let (queries, keyValues) = try (inputs.operand(), inputs.keyValues())
    let plan = try problem.attention(on: pool).plan(queries, keyValues)
    var output = Tensor<E>(repeating: E(nearest: 77), shape: outputShape)
    var sums = Tensor<E.Accumulator>.zeros(sumShape)
    for _ in 0..<2 {
      try output.withMutableView { (output) throws(AttentionError) in
        try sums.withMutableView { (sums) throws(AttentionError) in
          try plan.run(queries, keyValues, to: output, logSumExp: sums)
        }
      }
    }
    return PropertyResult(output, sums)
  }

  /// `[B, Hq, Tq]`, or `[Hq, total]`
  private var sumShape: Shape {
    let shape = outputShape
    return draw.packsQueries ? [shape[1], shape[0]] : [shape[0], shape[1], shape[2]]
  }

  /// Into strided memory, none of which may change beside the result.
  private func runIntoView(_ pool: WorkerPool) throws -> PropertyResult {
    let place = PropertyStorage(outputShape, seed: draw.storage[3])
    var memory = Tensor<E>(repeating: E(nearest: 77), shape: [place.count])
    var sums = Tensor<E.Accumulator>.zeros(sumShape)
    let (attend, queries, keyValues) = try (
      problem.attention(on: pool), inputs.operand(), inputs.keyValues()
    )
    try memory.withMutableView { (memory) throws(AttentionError) in
      try sums.withMutableView { (sums) throws(AttentionError) in
        try attend.write(queries, keyValues, to: place.view(memory.base, outputShape), logSumExp: sums)
      }
    }
    let output = try place.tensor(over: memory, outputShape)
    var untouched = memory
    untouched.withMutableView { memory in
      let view = place.view(memory.base, outputShape)
      try? view.assign(from: Tensor(repeating: E(nearest: 77), shape: outputShape))
    }
    guard untouched.elements.allSatisfy({ $0 == E(nearest: 77) }) else {
      throw AttentionError("output", "memory beside the view was written")
    }
    return PropertyResult(output, sums)
  }

  /// Attention over each part of the keys, under the definition's mask as one additive tensor, merged.
  private func runMerged(_ pool: WorkerPool) throws -> PropertyResult {
    let shape = draw.shape
    let cuts = [0] + PropertyInputs<E>.cuts(draw, 3) + [shape.keys]
    let parts = try zip(cuts, cuts.dropFirst()).map { start, end in
      var bias: [Double] = []
      for b in 0..<shape.batch {
        for h in 0..<shape.heads.query {
          for i in 0..<shape.queries {
            for j in start..<end {
              bias.append(problem.rules.isVisible(b, h, i, j) ? problem.rules.bias(b, h, i, j) : -.infinity)
            }
          }
        }
      }
      let mask = try Tensor(bias, shape: [shape.batch, shape.heads.query, shape.queries, end - start])
      let attend = ScaledDotProductAttention(
        scale: draw.scale, mask: .additive(mask), options: problem.options, on: pool)
      return try attend.withLogSumExp(
        inputs.queries,
        KeyValues(
          keys: inputs.keys.sliced(axis: 2, start..<end), values: inputs.values.sliced(axis: 2, start..<end)))
    }
    let merged = try mergeAttention(parts, on: pool)
    return PropertyResult(merged.output, merged.logSumExp)
  }
}
