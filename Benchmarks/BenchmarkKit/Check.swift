/// One row of the output.
package struct RowIndex: Hashable, Sendable {
  /// In the batch.
  package let sequence: Int
  /// Query head.
  package let head: Int
  /// Query.
  package let query: Int

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
    let sizes = shape.sizes
    let rowWork = sizes.keys * (sizes.headDim + sizes.valueDim)
    return sampleRows(
      heads: sizes.queryHeads, queries: (0..<sizes.batch).map { shape.storedQueries(sequence: $0) },
      maximum: max(4, min(maximum, work / max(rowWork, 1))))
  }

  /// Rows that cover the first and the last of everything and some between, the same ones every time.
  ///
  /// - Parameters:
  ///   - heads: of every sequence.
  ///   - queries: one count a sequence.
  ///   - maximum: no more rows than this; at least 2.
  package static func sampleRows(heads: Int, queries: [Int], maximum: Int = 48) -> [RowIndex] {
    guard let first = queries.firstIndex(where: { $0 > 0 }), let last = queries.lastIndex(where: { $0 > 0 }),
      heads > 0
    else { return [] }
    let ends = [
      RowIndex(sequence: first, head: 0, query: 0),
      RowIndex(sequence: last, head: heads - 1, query: queries[last] - 1),
    ]
    var rows = ends[0] == ends[1] ? [ends[0]] : ends
    var known = Set(rows)
    let longest = queries.max() ?? 0
    let total = queries.count * heads * longest
    // Multiples of a large odd number fall everywhere: edges of tiles, every head and every sequence.
    var position = 0
    for _ in 0..<4 * maximum where rows.count < min(maximum, total) {
      position = (position + 0x9E37_79B9) % total
      let (sequence, place) = position.quotientAndRemainder(dividingBy: heads * longest)
      let (head, query) = place.quotientAndRemainder(dividingBy: longest)
      if queries[sequence] == 0 { continue }
      let row = RowIndex(sequence: sequence, head: head, query: query % queries[sequence])
      if known.insert(row).inserted { rows.append(row) }
    }
    return rows
  }
}

extension RowIndex {
  fileprivate var place: String { "sequence \(sequence), head \(head), query \(query)" }
}
