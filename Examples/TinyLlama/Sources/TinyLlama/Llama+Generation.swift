import Attention

extension Llama {
  /// The `count` tokens after a prompt, each the most likely one after all before it.
  func continuation(of prompt: [Int], count: Int) throws(AttentionError) -> [Int] {
    var caches = makeCaches()
    var tokens: [Int] = []
    var next = prompt
    for _ in 0..<count {
      next = [mostLikely(try self(next, &caches))]
      tokens += next
    }
    return tokens
  }
}

/// The token with the largest of the last row of logits `[1, T, vocabulary]`.
private func mostLikely(_ logits: Tensor<Float>) -> Int {
  let last = logits.selected(axis: 1, logits.shape[1] - 1).elements
  return last.indices.max { last[$0] < last[$1] }!
}
