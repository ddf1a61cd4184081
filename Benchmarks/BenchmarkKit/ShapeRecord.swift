/// A shape as a file spells it: nothing checked yet but the types.
package struct ShapeRecord: Codable, Sendable, Equatable {
  var name: String
  var batch: Int
  var queryHeads: Int
  var keyValueHeads: Int
  var queries: Int
  var keys: Int
  var headDim: Int
  var valueDim: Int
  var mask: String
  var keyLengths: [Int]?
  var queryLengths: [Int]?
  var leftWindowSize: Int?
  var layout: String?
  var softcap: Double?
  var alibi: Bool?
  var sinks: Bool?
  var compareWith: String?
  var usefulFlops: Double?
  var why: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, batch, queries, keys, mask, layout, softcap, alibi, sinks, why
    case queryHeads = "query_heads"
    case keyValueHeads = "key_value_heads"
    case headDim = "head_dim"
    case valueDim = "value_dim"
    case keyLengths = "key_lengths"
    case queryLengths = "query_lengths"
    case leftWindowSize = "left_window_size"
    case compareWith = "compare_with"
    case usefulFlops = "useful_flops"
  }

  /// Tensors `[B, Hq, Tq, D]`, `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]` that exist, without a mask.
  ///
  /// - Precondition: four axes each.
  package init(name: String, queries: [Int], keys: [Int], values: [Int], why: String) {
    precondition(
      [queries, keys, values].allSatisfy { $0.count == 4 }, "queries, keys and values have four axes")
    self.name = name
    batch = queries[0]
    queryHeads = queries[1]
    keyValueHeads = keys[1]
    self.queries = queries[2]
    self.keys = keys[2]
    headDim = queries[3]
    valueDim = values[3]
    mask = BenchmarkShape.Mask.Kind.none.rawValue
    self.why = why
  }
}
