import CAttention
import Tensors

/// Runs what a C function does, and turns what it throws into a code and a text.
func reporting(_ body: () throws(AttentionError) -> Void) -> attention_status {
  do throws(AttentionError) {
    try body()
    return attention_status(ATTENTION_OK)
  } catch {
    return report(error)
  }
}

/// Sets the calling thread's last error.
func report(_ error: AttentionError) -> attention_status {
  "\(nameInC(error.argument)): \(error.reason)".withCString { CAttention_setLastError($0) }
  switch error.kind {
  case .outOfMemory: return attention_status(ATTENTION_OUT_OF_MEMORY)
  case .invalidArgument, .singular, .noConvergence: return attention_status(ATTENTION_INVALID_ARGUMENT)
  }
}

/// What the headers call an argument of a Swift function: another word where the table has one, else the same in snake case. What Swift says of a
/// mask's slopes, offsets and windows was checked before, by their own names: tensors are left.
private func nameInC(_ argument: String) -> String {
  switch argument {
  case "appending": return "counts"
  case "headDimension": return "depth"
  case "keyPages", "packedKeys": return "keys"
  case "mask": return "masks"
  case "rotaryDimension": return "rotated"
  case "softmaxPrecision": return "softmax_in_float64"
  case "valuePages": return "values"
  case "view": return "tensor"
  default: break
  }
  var name = ""
  for character in argument {
    if character.isUppercase { name.append("_") }
    name += character.lowercased()
  }
  return name
}

/// Calls `body`; its errors about `argument` become errors about what C calls `name` there.
func naming<Result>(
  _ argument: String, _ name: String, _ body: () throws(AttentionError) -> Result
) throws(AttentionError) -> Result {
  do throws(AttentionError) { return try body() } catch {
    throw error.argument == argument ? AttentionError(error.kind, name, error.reason) : error
  }
}

extension Optional {
  /// What a pointer or a handle says, or an error that names the argument.
  func required(_ argument: String) throws(AttentionError) -> Wrapped {
    guard let self else { throw AttentionError(argument, "NULL given, expected one") }
    return self
  }
}

/// The numbers that a C array and its length say.
///
/// - Throws: ``AttentionError`` where the length is negative or beyond any use, or NULL comes with a length.
func numbers<Number>(
  _ base: UnsafePointer<Number>?, _ count: Int64, _ argument: String
) throws(AttentionError) -> UnsafeBufferPointer<Number> {
  // More sequences, heads or tokens than this no call computes, and an array of them could not be made.
  guard count >= 0, count <= Int64(Int32.max) else {
    throw AttentionError(argument, "a count of \(count) given, expected 0 to \(Int32.max)")
  }
  guard let base else {
    if count == 0 { return UnsafeBufferPointer(start: nil, count: 0) }
    throw AttentionError(argument, "NULL given for \(count) numbers, expected their address")
  }
  return UnsafeBufferPointer(start: base, count: Int(count))
}

/// An array of C integers, nil where there is no address.
func integers(
  _ base: UnsafePointer<Int64>?, _ count: Int64, _ argument: String
) throws(AttentionError) -> [Int]? {
  if base == nil, count == 0 { return nil }
  let numbers = try numbers(base, count, argument)
  try askForLists(of: numbers.count, 2 * MemoryLayout<Int>.stride, argument)
  return numbers.map { Int($0) }
}
