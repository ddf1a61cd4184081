import CAttentionKernels

/// Scaled products of a query with keys, in Double, rounded once: for scores that overflowed before their terms cancelled.
struct ExactProducts {
  private let problem: AttentionProblem
  private let keys: TileSource<Double>
  private let kernels: KernelTable
  private let factors: (queries: Double, products: Double)

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.problem = problem
    self.kernels = kernels
    self.keys = TileSource(problem.keys, columns: problem.sizes.headDimension, kernels)
    self.factors = problem.factors()
  }

  /// Computes the products of part of a row again where one of them is not finite.
  func repair<Scalar: AttentionAccumulator>(_ row: ScoredRow<Scalar>, _ block: RowBlock) {
    if RowKernels<Scalar>(kernels).areFinite(row.scores, row.keys.count) { return }
    let query = query(row.index)
    forEach(query, block, row.keys) { place, product in row.scores[place] = Scalar(product) }
  }

  /// A query in Double, times what queries are multiplied with.
  func query(_ index: RowIndex) -> [Double] {
    let count = problem.sizes.headDimension
    let row = problem.queries.row(index.sequence, index.head, index.row)
    return [Double](unsafeUninitializedCapacity: count) { buffer, written in
      RowKernels<Double>(kernels).load(problem.elementType)(
        buffer.baseAddress, row, problem.queries.columnStride, count, factors.queries)
      written = count
    }
  }

  /// Calls `body` with each key, counted from the first, and its product.
  func forEach(_ query: [Double], _ block: RowBlock, _ range: Range<Int>, _ body: (Int, Double) -> Void) {
    var key = [Double](repeating: 0, count: query.count)
    for position in range {
      keys.read(block.sequence, block.keyValueHead, position, into: &key)
      var sum = 0.0
      for column in 0..<query.count { sum += query[column] * key[column] }
      body(position - range.lowerBound, factors.products * sum)
    }
  }
}
