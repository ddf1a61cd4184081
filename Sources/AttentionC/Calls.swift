// The headers document what is public here.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import Attention
import CAttention

@c @implementation
public func attention_run(
  _ queries: UnsafePointer<attention_queries>?, _ key_values: UnsafePointer<attention_key_values>?,
  _ options: UnsafePointer<attention_options>?, _ output: UnsafePointer<attention_tensor>?,
  _ log_sum_exp: UnsafePointer<attention_tensor>?
) -> attention_status {
  reporting { () throws(AttentionError) in
    try Call(queries, key_values, options).run(
      Write(output: Operand(output, "output"), logSumExp: log_sum_exp))
  }
}

@c @implementation
public func attention_describe(
  _ queries: UnsafePointer<attention_queries>?, _ key_values: UnsafePointer<attention_key_values>?,
  _ options: UnsafePointer<attention_options>?, _ text: UnsafeMutablePointer<CChar>?, _ capacity: Int,
  _ length: UnsafeMutablePointer<Int>?
) -> attention_status {
  reporting { () throws(AttentionError) in
    let description = try Call(queries, key_values, options).run(Describe())
    length?.pointee = description.utf8.count
    guard let text, capacity != 0 else { return }
    // A size_t beyond Int.max comes as a negative number.
    let most = capacity < 0 ? Int.max : capacity - 1
    var end = 0
    for byte in description.utf8.prefix(most) {
      text[end] = CChar(bitPattern: byte)
      end += 1
    }
    text[end] = 0
  }
}

/// The operands of a call, checked one by one. Not copyable: copies would count references for a microsecond.
private struct Call: ~Copyable {
  let attention: ScaledDotProductAttention
  let queries: Operand
  let lengths: [Int]?
  let keyValues: KeyValues

  init(
    _ queries: UnsafePointer<attention_queries>?, _ keyValues: UnsafePointer<attention_key_values>?,
    _ options: UnsafePointer<attention_options>?
  ) throws(AttentionError) {
    let described = try queries.required("queries").pointee
    let operand = try Operand(described.tensor, "queries")
    let lengths = try integers(described.lengths, described.length_count, "queries.lengths")
    if let lengths { try checkLengths(lengths, of: operand) }
    // What a plan notes of a sequence and of its blocks. Without lengths all sequences are alike, and noted once.
    if let lengths { try askForLists(of: lengths.count, 640, "queries.lengths") }
    let rows = try AttentionC.keyValues(keyValues)
    let attention = try AttentionC.attention(options)
    if let options = options?.pointee, operand.shape.count >= 3 {
      try checkCounts(options, heads: operand.shape[1], sequences: lengths?.count ?? operand.shape[0])
    }
    (self.queries, self.lengths) = (operand, lengths)
    (self.keyValues, self.attention) = (rows, attention)
  }

  /// Calls `body` with the queries in their type.
  borrowing func run<Body: CallBody>(_ body: Body) throws(AttentionError) -> Body.Result {
    switch queries.type {
    case .float32: try body(attention, typed(Float.self), keyValues)
    case .float64: try body(attention, typed(Double.self), keyValues)
    case .float16: try body(attention, typed(Float16.self), keyValues)
    case .bfloat16: try body(attention, typed(BFloat16.self), keyValues)
    case .int64, .int32, .int8, .uint8, .bool:
      throw queries.refused("float32, float64, float16 or bfloat16")
    }
  }

  private borrowing func typed<Element: AttentionElement>(
    _ type: Element.Type
  ) throws(AttentionError) -> Queries<Element> {
    let tensor = try queries.tensor(as: type)
    guard queries.shape.count == 3 else {
      return lengths.map { .padded(tensor, lengths: $0) } ?? Queries(tensor)
    }
    // An empty list has no address in some languages.
    if lengths == nil, queries.shape[0] > 0 {
      throw AttentionError(
        "queries.lengths", "NULL given for packed queries \(queries.shape), expected one a sequence")
    }
    return .packed(tensor, lengths: lengths ?? [])
  }
}

/// Checks the lengths of queries, of which Swift speaks by the word that it has for those of keys.
private func checkLengths(_ lengths: [Int], of queries: Operand) throws(AttentionError) {
  let isPacked = queries.shape.count == 3
  let most = isPacked ? queries.shape[0] : queries.shape[max(0, queries.shape.count - 2)]
  guard isPacked || lengths.count == queries.shape[0] else {
    throw AttentionError(
      "queries.lengths",
      "\(lengths.count) given, expected one for each of \(queries.shape[0]) sequences of queries \(queries.shape)"
    )
  }
  var sum = 0
  for length in lengths {
    guard (0...most).contains(length), !isPacked || sum <= most - length else {
      throw AttentionError(
        "queries.lengths",
        "a length of \(length) given, expected 0...\(most)\(isPacked ? ", and as much in all," : "") for queries \(queries.shape)"
      )
    }
    sum += isPacked ? length : 0
  }
}

/// What is done with a call.
private protocol CallBody {
  associatedtype Result
  func callAsFunction<Element: AttentionElement>(
    _ attention: ScaledDotProductAttention, _ queries: Queries<Element>, _ keyValues: KeyValues
  ) throws(AttentionError) -> Result
}

private struct Write: CallBody {
  let output: Operand
  let logSumExp: UnsafePointer<attention_tensor>?

  func callAsFunction<Element: AttentionElement>(
    _ attention: ScaledDotProductAttention, _ queries: Queries<Element>, _ keyValues: KeyValues
  ) throws(AttentionError) {
    let output = try output.view(of: Element.self)
    guard let logSumExp else { return try attention.write(queries, keyValues, to: output) }
    try attention.write(
      queries, keyValues, to: output,
      logSumExp: Operand(logSumExp, "log_sum_exp").view(of: Element.Accumulator.self))
  }
}

private struct Describe: CallBody {
  func callAsFunction<Element: AttentionElement>(
    _ attention: ScaledDotProductAttention, _ queries: Queries<Element>, _ keyValues: KeyValues
  ) throws(AttentionError) -> String {
    try attention.plan(queries, keyValues).description
  }
}
