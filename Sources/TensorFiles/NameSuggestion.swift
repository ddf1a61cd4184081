/// What an error says about the names that a file has instead of `name`: all of a few, else the five that share most with it at
/// their beginning and end.
func suggestion(for name: String, among names: [String]) -> String {
  if names.isEmpty { return "the file has no tensors" }
  if names.count <= 8 { return "the file has " + names.map(quoted).joined(separator: ", ") }
  func likeness(_ other: String) -> Int {
    commonPrefix(name.utf8, other.utf8) + commonPrefix(name.utf8.reversed(), other.utf8.reversed())
  }
  let ranked = names.map { (name: $0, likeness: likeness($0)) }.sorted { $0.likeness > $1.likeness }
  let nearest = ranked.prefix(5).map { quoted($0.name) }.joined(separator: ", ")
  return "the nearest of \(names.count) names are \(nearest)"
}

/// How many elements two sequences begin with alike.
private func commonPrefix<Bytes: Sequence<UInt8>>(_ left: Bytes, _ right: Bytes) -> Int {
  var count = 0
  for (left, right) in zip(left, right) {
    if left != right { break }
    count += 1
  }
  return count
}
