/// Throws unless there is a length for each sequence, each of at most `most`.
///
/// - Parameter tensor: what the lengths are of, for messages.
func checkLengths(
  _ lengths: [Int], count: Int, most: Int, of tensor: @autoclosure () -> String
) throws(AttentionError) {
  guard lengths.count == count else {
    throw AttentionError(
      "lengths", "\(lengths.count) given, expected one for each of \(count) sequences of \(tensor())")
  }
  for length in lengths where length < 0 || length > most {
    throw AttentionError("lengths", "a length of \(length) given, expected 0...\(most) for \(tensor())")
  }
}

/// Throws unless packed sequences of these lengths fit so many rows.
func checkPackedLengths(
  _ lengths: [Int], rows: Int, of tensor: @autoclosure () -> String
) throws(AttentionError) {
  var end = 0
  for length in lengths {
    let (sum, overflow) = end.addingReportingOverflow(length)
    guard length >= 0, !overflow else {
      throw AttentionError("lengths", "a length of \(length) given, expected 0 or more for \(tensor())")
    }
    end = sum
  }
  guard end <= rows else {
    throw AttentionError(
      "lengths", "sequences of \(end) rows in all given, expected at most \(rows) for \(tensor())")
  }
}
