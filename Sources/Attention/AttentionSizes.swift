/// The sizes of an attention problem, by the names of the field.
struct AttentionSizes: Sendable {
  let batch: Int
  let queryHeads: Int
  let keyValueHeads: Int
  /// The queries of the longest sequence.
  let queryCount: Int
  /// The keys of the longest sequence.
  let keyCount: Int
  let headDimension: Int
  let valueDimension: Int

  /// Query heads that share one key/value head.
  var groupSize: Int { keyValueHeads == 0 ? 1 : queryHeads / keyValueHeads }

  /// The key/value head that a query head reads.
  func keyValueHead(_ queryHead: Int) -> Int { queryHead / groupSize }
}

/// A tile holds at least a row and 4 keys whole: at this width that is up to 168 MB a thread.
private let widestVector = 1 << 21

/// Arguments as the caller gave them, for messages: packed sequences and pages are checked as the batch that they amount to.
struct GivenArguments {
  typealias Argument = (name: String, shape: Shape)
  var queries: Argument
  var keys: Argument
  var values: Argument
  /// What says how many sequences there are keys of.
  var batch: Argument
}

extension AttentionSizes {
  /// Checks queries `[B, Hq, Tq, D]`, keys and values against each other and against what BLAS can count.
  ///
  /// - Parameters:
  ///   - queries: their shape; packed sequences as a batch of tensors that each hold all rows.
  ///   - given: what to name in errors.
  ///   - longest: the queries and keys of the longest sequence, where that is not what the shapes say.
  init(
    queries: Shape, keys: Shape, values: Shape, given: GivenArguments,
    longest: (queries: Int, keys: Int)? = nil
  ) throws(AttentionError) {
    func refuse(_ argument: GivenArguments.Argument, _ expected: String) -> AttentionError {
      AttentionError(argument.name, "shape \(argument.shape) given, expected \(expected)")
    }
    // A closure: words are for errors alone, and take longer than all checks together.
    func ofQueries() -> String { "of queries \(given.queries.shape)" }
    guard queries[3] >= 1 else { throw refuse(given.queries, "a head dimension of at least 1") }
    guard queries[3] <= widestVector else {
      throw refuse(given.queries, "a head dimension of at most \(widestVector)")
    }
    guard keys[0] == queries[0] else {
      throw refuse(given.batch, "the batch size \(queries[0]) \(ofQueries())")
    }
    guard keys[3] == queries[3] else {
      throw refuse(given.keys, "the head dimension \(queries[3]) \(ofQueries())")
    }
    guard keys[1] == 0 ? queries[1] == 0 : queries[1] % keys[1] == 0 else {
      throw refuse(given.keys, "a number of heads that divides the \(queries[1]) \(ofQueries())")
    }
    guard values[3] >= 1 else { throw refuse(given.values, "a value dimension of at least 1") }
    guard values[3] <= widestVector else {
      throw refuse(given.values, "a value dimension of at most \(widestVector)")
    }
    guard values[0] == keys[0], values[1] == keys[1], values[2] == keys[2] else {
      let axes = given.keys.shape.dropLast().map(String.init).joined(separator: ", ")
      throw refuse(given.values, "[\(axes), Dv] to match \(given.keys.name) \(given.keys.shape)")
    }
    func checkAxes(_ argument: GivenArguments.Argument, _ shape: Shape) throws(AttentionError) {
      for length in shape where length > Int(Int32.max) {
        throw refuse(argument, "axes of at most \(Int32.max), BLAS's largest integer")
      }
    }
    try checkAxes(given.queries, queries)
    try checkAxes(given.keys, keys)
    try checkAxes(given.values, values)
    batch = queries[0]
    queryHeads = queries[1]
    keyValueHeads = keys[1]
    queryCount = longest?.queries ?? queries[2]
    keyCount = longest?.keys ?? keys[2]
    headDimension = queries[3]
    valueDimension = values[3]
    let rows = groupSize.multipliedReportingOverflow(by: queryCount)
    guard rows.partialValue <= Int(Int32.max), !rows.overflow else {
      throw refuse(given.queries, "at most \(Int32.max) query rows for each key/value head")
    }
  }
}
