import Attention
import AttentionReference
import BenchmarkKit

extension CachedCall {
  /// Holds some rows of the output against the oracle over the numbers that are stored, which are made here by the definition.
  func check() -> Check {
    let rows = Check.sampleRows(
      heads: shape.sizes.queryHeads,
      queries: [Int](repeating: shape.sizes.queries, count: shape.sizes.batch), maximum: 3)
    var largest = 0.0
    let reference = rows.map { row in
      let head = row.head / (shape.sizes.queryHeads / shape.sizes.keyValueHeads)
      let (q, k, v) = (
        inputs.queries.sliced(axis: 0, row.sequence..<row.sequence + 1)
          .sliced(axis: 1, row.head..<row.head + 1).converted(to: Double.self),
        stored(inputs.keys, row.sequence, head, pool.keyType),
        stored(inputs.values, row.sequence, head, pool.valueType)
      )
      largest = v.elements.reduce(largest) { max($0, $1.magnitude) }
      let rules = ScoreRules(isVisible: { [shape] _, _, i, j in
        shape.visibleKeys(sequence: row.sequence, query: i).contains(j)
      })
      return AttentionOracle(queries: q, keys: k, values: v, rules: rules).row(
        sequence: 0, head: 0, query: row.query
      ).output
    }
    // The contract's bounds, and one rounding of weights and one of the output where the type is narrow.
    let isQuantized = pool.keyType.isQuantized || pool.valueType.isQuantized
    let bound =
      isQuantized ? 0x1p-14 * largest : E.benchType == .f32 && pool.keyType == .float32 ? 2e-6 : 2e-5
    // A tolerance says by itself how far an output may be off.
    let kept = variant.tolerance.map { $0 * largest } ?? 0
    let rounding = E.unitRoundoff > Float.unitRoundoff ? 4 * E.unitRoundoff * largest : 0
    return Check(rows: rows, reference: reference, tolerance: bound + kept + rounding) {
      self.inputs.outputRow($0, of: self.output)
    }
  }

  /// A head's rows as a pool keeps them, `[1, 1, T, D]`.
  private func stored(_ tensor: Tensor<E>, _ sequence: Int, _ head: Int, _ type: KeyValueType) -> Tensor<
    Double
  > {
    let rows = tensor.selected(axis: 0, sequence).selected(axis: 0, head)
    let columns = rows.shape[1]
    var elements = rows.elements.map { Float($0.doubleValue) }
    func quantize(_ group: Int, _ most: Float) {
      for row in stride(from: 0, to: elements.count, by: columns) {
        for first in stride(from: row, to: row + columns, by: group) {
          let range = first..<min(first + group, row + columns)
          var largest: Float = 0
          for index in range { largest = max(largest, elements[index].magnitude) }
          let scale = largest / most
          if scale > 0 {
            for index in range {
              elements[index] = scale * (elements[index] / scale).rounded(.toNearestOrEven)
            }
          }
        }
      }
    }
    switch type {
    case .float32: break
    case .bfloat16:
      for index in elements.indices {
        elements[index] = Float(BFloat16(nearest: Double(elements[index])).doubleValue)
      }
    case .float16: for index in elements.indices { elements[index] = Float(Float16(elements[index])) }
    case .int8: quantize(columns, 127)
    case .int4: quantize(32, 7)
    case .planes: quantize(columns, 32639)
    }
    return Tensor(unsafeUninitializedShape: [1, 1, rows.shape[0], columns]) { target in
      for index in elements.indices { target.initializeElement(at: index, to: Double(elements[index])) }
    }
  }
}
