import Attention

extension Llama {
  /// The `count` tokens after a prompt, each the most likely one after all before it.
  package func continuation(
    of prompt: [Int], count: Int, keys: KeyValueType = .float32, values: KeyValueType = .float32
  ) throws(AttentionError) -> [Int] {
    let pool = try makePool(keys: keys, values: values, pages: (prompt.count + count) / 16 + 1)
    let sequence = pool.makeSequence()
    var (next, tokens) = (prompt, [Int]())
    while tokens.count < count {
      let step = try KeyValueStep([sequence], appending: [next])
      var x = try embedded(next)
      for (index, layer) in layers.enumerated() {
        let (q, k, v) = try layer.project(x)  // [T, H, D]
        try step.write(layer: index, keys: k, values: v, rotary: rotary)
        let queries = try rotary.applied(to: q, at: step.positions)
        x = try layer.output(
          x, attend(.packed(queries, lengths: [next.count]), step.keyValues(layer: index)))
      }
      try step.commit()
      next = [mostLikely(try logits(x), row: next.count - 1)]
      tokens += next
    }
    return tokens
  }
}

/// The token with the largest of a row of logits `[total, vocabulary]`.
package func mostLikely(_ logits: Tensor<Float>, row: Int) -> Int {
  let row = logits.selected(axis: 0, row).elements
  return row.indices.max { row[$0] < row[$1] }!
}
