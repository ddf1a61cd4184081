/// The sizes of an attention problem, by the names of the field.
package struct AttentionSizes: Sendable {
  package let batch: Int
  package let queryHeads: Int
  package let keyValueHeads: Int
  /// `Tq`: the rows of a batch; the queries of the longest packed sequence.
  package let queryCount: Int
  /// `Tk`: the rows of tensors; the keys of the longest sequence of packed ones and of pages; the sum over joined parts.
  package let keyCount: Int
  /// D
  package let headDimension: Int
  /// Dv
  package let valueDimension: Int

  /// Query heads that share one key/value head.
  package var groupSize: Int { keyValueHeads == 0 ? 1 : queryHeads / keyValueHeads }

  /// The key/value head that a query head reads.
  func keyValueHead(_ queryHead: Int) -> Int { queryHead / groupSize }
}

/// A tile holds at least a row and 4 keys whole: at this width that is up to 168 MB a thread.
private let widestVector = 1 << 21

extension AttentionSizes {
  /// Checks queries against keys and values, and all against what BLAS can count.
  init(_ queries: QueryLayout, _ sources: KeyValueSources) throws(AttentionError) {
    // A closure: words are for errors alone, and take longer than all checks together.
    func ofQueries() -> String { "of queries \(queries.given.shape)" }
    let keyValues = sources.sizes
    guard queries.depth >= 1 else { throw queries.given.refused("a head dimension of at least 1") }
    guard queries.depth <= widestVector else {
      throw queries.given.refused("a head dimension of at most \(widestVector)")
    }
    guard keyValues.batch == queries.batch else {
      throw sources.given.batch.refused("\(queries.batch) sequences as \(ofQueries())")
    }
    guard keyValues.depth == queries.depth else {
      throw sources.given.keys.refused("the head dimension \(queries.depth) \(ofQueries())")
    }
    guard keyValues.heads == 0 ? queries.heads == 0 : queries.heads % keyValues.heads == 0 else {
      throw sources.given.keys.refused("a number of heads that divides the \(queries.heads) \(ofQueries())")
    }
    if let refusal = sources.valuesRefusal { throw refusal }
    guard keyValues.width >= 1 else { throw sources.given.values.refused("a value dimension of at least 1") }
    guard keyValues.width <= widestVector else {
      throw sources.given.values.refused("a value dimension of at most \(widestVector)")
    }
    let largest = Int(Int32.max)
    guard queries.batch <= largest, queries.heads <= largest, queries.rowCount <= largest else {
      throw queries.given.refused("axes of at most \(largest), BLAS's largest integer")
    }
    guard keyValues.count <= largest else {
      throw sources.given.keys.refused("axes of at most \(largest), BLAS's largest integer")
    }
    batch = queries.batch
    queryHeads = queries.heads
    keyValueHeads = keyValues.heads
    queryCount = queries.longest
    keyCount = keyValues.count
    headDimension = queries.depth
    valueDimension = keyValues.width
    let rows = groupSize.multipliedReportingOverflow(by: queryCount)
    guard rows.partialValue <= largest, !rows.overflow else {
      throw queries.given.refused("at most \(largest) query rows for each key/value head")
    }
  }
}
