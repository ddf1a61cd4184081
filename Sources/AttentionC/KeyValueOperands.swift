import Attention
import CAttention

/// Keys and values as a C caller describes them.
func keyValues(
  _ described: UnsafePointer<attention_key_values>?, _ argument: String = "key_values"
) throws(AttentionError) -> KeyValues {
  var left = mostParts
  return try keyValues(described.required(argument).pointee, argument, depth: 0, &left)
}

/// A part of a part of a part: no call needs that, and a part within itself would never end.
private let deepestParts = 8

/// In all: parts that share parts multiply with their depth.
private let mostParts = 1 << 16

private func keyValues(
  _ described: attention_key_values, _ argument: String, depth: Int, _ left: inout Int
) throws(AttentionError) -> KeyValues {
  switch Int(described.source) {
  case ATTENTION_PADDED:
    return KeyValues(
      keys: try stored(described.keys, described.key_scales, "keys"),
      values: try stored(described.values, described.value_scales, "values"), lengths: try lengths(described))
  case ATTENTION_PACKED:
    return KeyValues(
      packedKeys: try stored(described.keys, described.key_scales, "keys"),
      values: try stored(described.values, described.value_scales, "values"),
      lengths: try lengths(described, of: described.keys.shape.0))
  case ATTENTION_PAGED:
    return KeyValues(
      keyPages: try stored(described.keys, described.key_scales, "keys"),
      valuePages: try stored(described.values, described.value_scales, "values"),
      pageTable: try Operand(described.page_table, "page_table").tensor(as: Int32.self),
      lengths: try lengths(described, of: described.page_table.shape.0))
  case ATTENTION_JOINED:
    guard depth < deepestParts else {
      throw AttentionError("parts", "parts within parts \(depth) deep given, expected fewer")
    }
    var parts: [KeyValues] = []
    for part in try numbers(described.parts, described.part_count, "parts") {
      left -= 1
      guard left > 0 else {
        throw AttentionError("parts", "\(mostParts) parts or more given in all, expected fewer")
      }
      parts.append(try keyValues(part, "parts", depth: depth + 1, &left))
    }
    return KeyValues(joining: parts)
  case ATTENTION_STEP:
    return try handle(described.step, as: KeyValueStep.self, "step").keyValues(layer: Int(described.layer))
  case ATTENTION_SEQUENCES:
    let sequences = try handles(
      described.sequences, described.sequence_count, as: KeyValueSequence.self, "sequences")
    return try KeyValueSequence.view(of: sequences).keyValues(layer: Int(described.layer))
  default:
    throw AttentionError(
      argument, "source \(described.source) given, expected ATTENTION_PADDED to ATTENTION_SEQUENCES")
  }
}

private func lengths(_ described: attention_key_values) throws(AttentionError) -> [Int]? {
  try integers(described.lengths, described.length_count, "lengths")
}

/// Lengths where there have to be some: an empty list has no address in some languages, and is right where there is nothing to be long.
private func lengths(_ described: attention_key_values, of count: Int64) throws(AttentionError) -> [Int] {
  let given = try lengths(described)
  return count == 0 ? given ?? [] : try given.required("lengths")
}

/// A tensor of keys or of values: numbers, or integers with their scales.
private func stored(
  _ tensor: attention_tensor, _ scales: attention_tensor, _ argument: String
) throws(AttentionError) -> StoredTensor {
  let operand = try Operand(tensor, argument)
  let scaleArgument = argument == "keys" ? "key_scales" : "value_scales"
  if operand.type == .int8 {
    return QuantizedTensor(
      integers: try operand.tensor(as: Int8.self),
      scales: try Operand(scales, scaleArgument).tensor(as: Float.self)
    ).stored
  }
  guard scales.data == nil, scales.rank == 0 else {
    throw AttentionError(
      scaleArgument, "scales given for \(operand.type) \(argument), expected none but for int8")
  }
  return try operand.withFloatType(Stored(operand: operand))
}

private struct Stored: ForEachFloatType {
  let operand: Operand

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) -> StoredTensor
  {
    try operand.tensor(as: type).stored
  }
}
