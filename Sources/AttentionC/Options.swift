import Attention
import CAttention

/// The operator that a C caller's options describe.
func attention(_ described: UnsafePointer<attention_options>?) throws(AttentionError)
  -> ScaledDotProductAttention
{
  guard let options = described?.pointee else { return ScaledDotProductAttention() }
  return ScaledDotProductAttention(
    scale: options.scale?.pointee, mask: try mask(options),
    options: AttentionOptions(
      softcap: options.softcap == 0 ? nil : options.softcap,
      sinks: try doubles(options.sinks, options.sink_count, "sinks"),
      softmaxPrecision: options.softmax_in_float64 == 0 ? .accumulator : .float64),
    on: pool(options.threads))
}

/// The pool of a handle; that of the process for NULL.
func pool(_ threads: OpaquePointer?) -> WorkerPool {
  threads.map { Unmanaged<WorkerPool>.fromOpaque(UnsafeRawPointer($0)).takeUnretainedValue() } ?? .shared
}

private func doubles(
  _ base: UnsafePointer<Double>?, _ count: Int64, _ argument: String
) throws(AttentionError) -> [Double]? {
  if base == nil, count == 0 { return nil }
  let given = try numbers(base, count, argument)
  try askForLists(of: given.count, 2 * MemoryLayout<Double>.stride, argument)
  return Array(given)
}

/// Checks what has one for each head or each sequence.
func checkCounts(_ options: attention_options, heads: Int, sequences: Int) throws(AttentionError) {
  if options.alibi_slopes != nil, Int(options.alibi_slope_count) != heads {
    throw AttentionError(
      "alibi_slopes", "\(options.alibi_slope_count) given, expected one for each of \(heads) query heads")
  }
  if Int(options.alignment) == ATTENTION_OFFSETS, options.offset_count != 1,
    Int(options.offset_count) != sequences
  {
    throw AttentionError(
      "offsets", "\(options.offset_count) given, expected 1, or one for each of \(sequences) sequences")
  }
}

private func mask(_ options: attention_options) throws(AttentionError) -> AttentionMask {
  let alignment = try alignment(options)
  var mask = AttentionMask.none
  if options.causal != 0 { mask = .causal(alignment) }
  let (left, right) = (options.window_left?.pointee, options.window_right?.pointee)
  for (argument, keys) in [
    ("window_left", left ?? 0), ("window_right", right ?? 0), ("keeping_first", options.keeping_first),
  ] where keys < 0 {
    throw AttentionError(argument, "\(keys) keys given, expected 0 or more")
  }
  if left != nil || right != nil {
    mask =
      mask
      & .window(
        left: left.map { Int($0) }, right: right.map { Int($0) }, keepingFirst: Int(options.keeping_first),
        alignment)
  } else if options.keeping_first != 0 {
    throw AttentionError("keeping_first", "\(options.keeping_first) given without a window, expected 0")
  }
  for (index, described) in try numbers(options.masks, options.mask_count, "masks").enumerated() {
    let operand = try Operand(described, "masks[\(index)]")
    if operand.type == .bool {
      mask = mask & .boolean(try operand.tensor(as: Bool.self))
    } else {
      mask = mask & (try operand.withFloatType(Additive(operand: operand)))
    }
  }
  if let slopes = try doubles(options.alibi_slopes, options.alibi_slope_count, "alibi_slopes") {
    for slope in slopes where !(slope.magnitude <= steepestSlope) {
      throw AttentionError(
        "alibi_slopes", "\(slope) given, expected at most \(steepestSlope) on either side of 0")
    }
    mask = mask & .alibi(slopes: slopes, alignment)
  }
  if let modifier = options.modifier {
    let change = CModifier(modify: modifier, context: options.modifier_context)
    mask = mask & .modifier(ScoreModifier(change), alignment)
  }
  return mask
}

private func alignment(_ options: attention_options) throws(AttentionError) -> QueryAlignment {
  switch Int(options.alignment) {
  case ATTENTION_BOTTOM_RIGHT: return .bottomRight
  case ATTENTION_TOP_LEFT: return .topLeft
  case ATTENTION_OFFSETS:
    let offsets = try integers(options.offsets, options.offset_count, "offsets").required("offsets")
    for offset in offsets where Int32(exactly: offset) == nil {
      throw AttentionError("offsets", "\(offset) given, expected one that fits 32 bits")
    }
    return offsets.count == 1 ? .offset(offsets[0]) : .offsets(offsets)
  default:
    throw AttentionError(
      "alignment", "\(options.alignment) given, expected ATTENTION_BOTTOM_RIGHT to ATTENTION_OFFSETS")
  }
}

private struct Additive: ForEachFloatType {
  let operand: Operand

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) -> AttentionMask
  {
    .additive(try operand.tensor(as: type))
  }
}

/// A caller's function and what it hands to it.
///
/// `@unchecked Sendable`: the header says that it is called on many threads at once; that the context bears it is the caller's promise.
private struct CModifier: @unchecked Sendable {
  let modify: @convention(c) (UnsafeMutableRawPointer?, UnsafePointer<attention_scores>?) -> Void
  let context: UnsafeMutableRawPointer?

  /// Calls the function for each row of a tile.
  func change<Scalar>(_ block: ScoreBlock<Scalar>, _ type: Int) {
    for row in 0..<block.rowCount {
      let (scores, place) = (block.scores(row), block.place(row))
      var described = attention_scores(
        type: attention_type(type), scores: UnsafeMutableRawPointer(scores.baseAddress),
        key: Int64(place.key),
        count: Int64(scores.count), sequence: Int64(place.sequence), head: Int64(place.head),
        query: Int64(place.query), position: Int64(place.position))
      modify(context, &described)
    }
  }
}

extension ScoreModifier {
  fileprivate init(_ modifier: CModifier) {
    self.init(
      float: { modifier.change($0, ATTENTION_FLOAT32) }, double: { modifier.change($0, ATTENTION_FLOAT64) })
  }
}
