import Attention
import BenchmarkKit
import Foundation
import Parallelism
import Transformer

/// The keys and values of all layers of a model after some tokens, in caches of three kinds, and the last token's queries.
final class PlanesStudy {
  private struct Layer {
    let attention: ScaledDotProductAttention
    /// In bfloat16, as models multiply them.
    let queries: Tensor<BFloat16>
  }

  private enum Kind: Int, CaseIterable {
    case bfloat16, int8, planes

    var types: (keys: KeyValueType, values: KeyValueType) {
      switch self {
      case .bfloat16: (.bfloat16, .bfloat16)
      case .int8: (.int8, .int8)
      case .planes: (.planes, .int8)
      }
    }
  }

  private let tokens: Int
  private let layers: [Layer]
  private let steps: [KeyValueStep]
  private let largestValues: [Float]
  private var output: Tensor<BFloat16>
  private var bounds: Tensor<Float>

  /// - Parameter random: whether keys are drawn from a normal distribution, of each layer's own size.
  init(
    _ decoder: DecoderModel, _ tokens: [Int], random: Bool, pageSize: Int, on workers: WorkerPool
  ) throws {
    let configuration = decoder.configuration
    self.tokens = tokens.count
    let steps = try Kind.allCases.map { kind in
      let pool = try decoder.makePool(
        keys: kind.types.keys, values: kind.types.values, pageSize: pageSize,
        pages: (tokens.count + pageSize - 1) / pageSize)
      return try KeyValueStep([pool.makeSequence()], appending: [tokens.count])
    }
    var (layers, largest): ([Layer], [Float]) = ([], [])
    try decoder.forEachAttentionCall(tokens: tokens) { (index, makeCall) throws(AttentionError) in
      let call = try makeCall()
      var keys = call.keys.selected(axis: 0, 0).permuted(1, 0, 2)
      let values = call.values.selected(axis: 0, 0).permuted(1, 0, 2)
      if random {
        let size = keys.elements.reduce(0) { $0 + Double($1) * Double($1) } / Double(keys.count)
        keys = Tensor<Float>.normal(keys.shape, seed: UInt64(index)) * Float(size.squareRoot())
      }
      for step in steps { try step.write(layer: index, keys: keys, values: values, on: workers) }
      let queries = call.queries.sliced(axis: 2, tokens.count - 1..<tokens.count)
        .converted(to: BFloat16.self)
      layers.append(Layer(attention: call.attention, queries: queries))
      largest.append(values.elements.reduce(0) { max($0, $1.magnitude) })
      return true
    }
    (self.layers, self.steps, largestValues) = (layers, steps, largest)
    let heads = configuration.queryHeads
    output = .zeros([1, heads, 1, configuration.headDimension])
    bounds = .zeros([1, heads, 1])
  }

  /// Measures under a tolerance.
  func row(_ name: String, within tolerance: Double, _ rounds: Rounds) throws -> PlanesRow {
    let found = try errors(within: tolerance)
    let turns = try rounds.measure(
      Kind.allCases.map { kind in
        Contender(name: "\(kind)") { try self.run(kind, tolerance) }.compared()
      })
    let times = turns.map { Quantiles($0.map(\.seconds)).median * 1e3 }
    let ratio = Quantiles(zip(turns[0], turns[2]).map { $0.seconds / $1.seconds }).median
    return PlanesRow(
      cells: [
        name, "\(tokens)", "\(tolerance)", String(format: "%.1f %%", 100 * found.reads.share),
        String(format: "%.1e", found.bound), String(format: "%.1e", found.error),
      ] + times.map { String(format: "%.2f", $0) } + [String(format: "%.2f", ratio)])
  }

  /// Attention of all layers, one after the other, over one kind of cache.
  private func run(_ kind: Kind, _ tolerance: Double) throws {
    for (index, layer) in layers.enumerated() {
      let keyValues = try steps[kind.rawValue].keyValues(layer: index)
      try output.withMutableView { (output) throws(AttentionError) in
        switch kind {
        case .bfloat16, .int8: try layer.attention.write(layer.queries, keyValues, to: output)
        case .planes:
          try bounds.withMutableView { (bounds) throws(AttentionError) in
            _ = try layer.attention.write(
              within: tolerance, layer.queries, keyValues, to: output, bounds: bounds)
          }
        }
      }
    }
  }

  /// What was read, the largest bound, and the largest error against attention that reads all, relative to the largest value.
  ///
  /// - Throws: ``BenchmarkError`` where an error exceeds its bound.
  private func errors(within tolerance: Double) throws -> (reads: LowByteReads, bound: Float, error: Float) {
    var (reads, bound, error) = (LowByteReads(), Float(0), Float(0))
    for (index, layer) in layers.enumerated() {
      let keyValues = try steps[Kind.planes.rawValue].keyValues(layer: index)
      // As Floats, outputs are not rounded further.
      let queries = layer.queries.converted(to: Float.self)
      let exact = try layer.attention(queries, keyValues)
      let result = try layer.attention.within(tolerance, queries, keyValues)
      let narrow = try layer.attention.within(tolerance, layer.queries, keyValues)
      reads += narrow.lowByteReads
      for head in 0..<exact.shape[1] {
        for column in 0..<exact.shape[3] {
          let difference = abs(exact[0, head, 0, column] - result.output[0, head, 0, column])
          let relative = difference / largestValues[index]
          error = max(error, relative)
          guard relative <= result.bounds[0, head, 0] else {
            throw BenchmarkError(
              "layer \(index), head \(head): an error of \(relative) beyond the bound \(result.bounds[0, head, 0])"
            )
          }
        }
        bound = max(bound, narrow.bounds[0, head, 0])
      }
    }
    return (reads, bound, error)
  }
}
