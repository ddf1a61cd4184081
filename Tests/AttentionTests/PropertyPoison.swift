import Attention
import TestSupport

/// NaN and ∞ where a draw wants them.
struct PropertyPoison {
  private let problem: PropertyProblem
  private var draw: PropertyDraw { problem.draw }

  init(_ problem: PropertyProblem) { self.problem = problem }

  func spread<E: AttentionElement>(over q: inout Tensor<E>, _ k: inout Tensor<E>, _ v: inout Tensor<E>) {
    switch draw.poison {
    case .none:
      // Rows that are no sequence's are never looked at.
      fillUnusedRows(&q, &k, &v)
    case .hidden:
      fillUnusedRows(&q, &k, &v)
      fillHidden(&q, &k, &v)
    case .visible:
      var random = SplitMix(seed: draw.dataSeed &+ 41)
      // In a merge, a part that weighs nothing leaves no trace of what its values hold.
      let isMerged = draw.entry == .merged
      for _ in 0..<random.int(1...2) {
        let value = E(nearest: isMerged ? .nan : random.pick([.nan, .nan, .infinity, -.infinity]))
        switch random.int(0...(isMerged ? 1 : 2)) {
        case 0: set(&q, at: random.next(), to: value)
        case 1: set(&k, at: random.next(), to: value)
        default: set(&v, at: random.next(), to: value)
        }
      }
    }
  }

  private func set<E: AttentionElement>(_ tensor: inout Tensor<E>, at place: UInt64, to value: E) {
    let count = tensor.count
    if count > 0 { tensor.withMutableView { $0.base[Int(place % UInt64(count))] = value } }
  }

  /// The rows past the last sequence.
  private func fillUnusedRows<E: AttentionElement>(
    _ q: inout Tensor<E>, _ k: inout Tensor<E>, _ v: inout Tensor<E>
  ) {
    func fill(_ tensor: inout Tensor<E>, from row: Int) {
      let width = tensor.shape[1] * tensor.shape[2]
      let count = tensor.count - row * width
      tensor.withMutableView { ($0.base + row * width).update(repeating: E(nearest: .nan), count: count) }
    }
    let last = problem.sequences.last
    if draw.packsQueries { fill(&q, from: last.map { $0.queryStart + $0.queryCount } ?? 0) }
    if draw.source != .packed { return }
    fill(&k, from: last.map { $0.keyStart + $0.keyCount } ?? 0)
    fill(&v, from: last.map { $0.keyStart + $0.keyCount } ?? 0)
  }

  /// Keys and values that no query of their heads sees, and queries that are padding.
  private func fillHidden<E: AttentionElement>(
    _ q: inout Tensor<E>, _ k: inout Tensor<E>, _ v: inout Tensor<E>
  ) {
    let (longestQueries, shape) = (problem.longestQueries, draw.shape)
    let group = shape.heads.query / shape.heads.keyValue
    // Whether a key is seen takes a look at every query: too slow for the largest.
    if shape.batch * shape.heads.query * longestQueries * problem.longestKeys > 100_000 { return }
    var random = SplitMix(seed: draw.dataSeed &+ 43)
    for (b, extent) in problem.sequences.enumerated() {
      for head in 0..<shape.heads.keyValue {
        for j in 0..<(draw.source == .packed ? extent.keyCount : shape.keys) {
          let isSeen = (head * group..<(head + 1) * group).contains { h in
            (0..<extent.queryCount).contains { !problem.rules.hides(b, h, $0, j) }
          }
          if isSeen { continue }
          let value = E(nearest: random.pick([.nan, .infinity, -.infinity]))
          fill(&k, b, head, j, packedFrom: draw.source == .packed ? extent.keyStart : nil, with: value)
          fill(&v, b, head, j, packedFrom: draw.source == .packed ? extent.keyStart : nil, with: value)
        }
      }
      if draw.packsQueries { continue }
      for h in 0..<shape.heads.query {
        for i in extent.queryCount..<shape.queries {
          fill(&q, b, h, i, packedFrom: nil, with: E(nearest: .nan))
        }
      }
    }
  }

  /// Fills a row of a head: of a sequence's tensor, or of a packed one in which the sequence starts at a row.
  private func fill<E: AttentionElement>(
    _ tensor: inout Tensor<E>, _ b: Int, _ head: Int, _ row: Int, packedFrom start: Int?, with value: E
  ) {
    let heads = tensor.shape[1]
    let width = tensor.shape[start == nil ? 3 : 2]
    let number = start.map { ($0 + row) * heads + head } ?? (b * heads + head) * tensor.shape[2] + row
    tensor.withMutableView { ($0.base + number * width).update(repeating: value, count: width) }
  }
}
