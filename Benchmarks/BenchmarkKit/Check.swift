/// One row of the output.
package struct RowIndex: Hashable, Sendable {
  /// In the batch.
  package let sequence: Int
  /// Query head.
  package let head: Int
  /// Query.
  package let query: Int

  /// A row at these indices.
  package init(sequence: Int, head: Int, query: Int) {
    self.sequence = sequence
    self.head = head
    self.query = query
  }
}

/// Whether an output is right, and by how much.
package struct Check: Equatable, Sendable {
  /// The largest difference from the reference; nil where an element is not finite.
  package let maxError: Double?
  /// The difference that is allowed.
  package let tolerance: Double
  /// What is wrong; nil where nothing is.
  package let failure: String?

  /// Compares rows of an output with rows of a reference.
  ///
  /// - Parameters:
  ///   - rows: which rows; at least one.
  ///   - reference: the right values, one array a row.
  ///   - tolerance: the largest difference allowed.
  ///   - output: the row to be checked.
  package init(
    rows: [RowIndex], reference: [[Double]], tolerance: Double, output: (RowIndex) throws -> [Double]
  ) rethrows {
    precondition(
      !rows.isEmpty && rows.count == reference.count, "\(reference.count) references for \(rows.count) rows")
    self.tolerance = tolerance
    var largest = 0.0
    for (row, expected) in zip(rows, reference) {
      let given = try output(row)
      guard given.count == expected.count else {
        (maxError, failure) = (nil, "\(given.count) values in \(row.place), expected \(expected.count)")
        return
      }
      guard given.allSatisfy(\.isFinite) else {
        (maxError, failure) = (nil, "not finite in \(row.place)")
        return
      }
      largest = zip(given, expected).reduce(largest) { max($0, ($1.0 - $1.1).magnitude) }
    }
    maxError = largest
    failure = largest <= tolerance ? nil : "error \(short(largest)) is over the tolerance \(short(tolerance))"
  }

  /// Rows that cover the first and the last of everything and some between, the same ones every time.
  ///
  /// - Parameters:
  ///   - shape: the shape of the problem.
  ///   - maximum: no more rows than this.
  ///   - work: no more elements of keys and values read by all rows together than this, unless four rows need more.
  package static func sampleRows(of shape: BenchmarkShape, maximum: Int = 48, work: Int = 20_000_000)
    -> [RowIndex]
  {
    let rowWork = shape.keys * (shape.headDim + shape.valueDim)
    let limit = max(4, min(maximum, work / max(rowWork, 1)))
    let first = RowIndex(sequence: 0, head: 0, query: 0)
    let last = RowIndex(sequence: shape.batch - 1, head: shape.queryHeads - 1, query: shape.queries - 1)
    var rows = [first, last]
    var known: Set<RowIndex> = [first, last]
    let total = shape.batch * shape.queryHeads * shape.queries
    // Multiples of a large odd number fall everywhere: edges of tiles, every head and every sequence.
    var position = 0
    for _ in 0..<4 * limit where rows.count < min(limit, total) {
      position = (position + 0x9E37_79B9) % total
      let row = RowIndex(
        sequence: position / (shape.queryHeads * shape.queries),
        head: position / shape.queries % shape.queryHeads, query: position % shape.queries)
      if known.insert(row).inserted { rows.append(row) }
    }
    return first == last ? [first] : rows
  }
}

extension RowIndex {
  fileprivate var place: String { "sequence \(sequence), head \(head), query \(query)" }
}
