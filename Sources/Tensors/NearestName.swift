/// The name that a misspelt one was probably meant to be.
///
/// - Parameters:
///   - text: what was given; upper and lower case are the same.
///   - names: the names that exist.
/// - Returns: the name with the fewest edits from `text`, the first of several; nil where even that one shares less than half of its
///   letters, so that a suggestion would be a guess.
package func nearestName(to text: String, among names: [String]) -> String? {
  // No name is longer, and whoever pastes a file behind an option shall not wait.
  guard text.utf8.count <= 256 else { return nil }
  let given = Array(text.lowercased())
  let candidates = names.map { name in
    let known = Array(name.lowercased())
    return (name: name, edits: editCount(given, known), length: max(given.count, known.count))
  }
  // The first of equals: `min` keeps it.
  guard let nearest = candidates.min(by: { $0.edits < $1.edits }), 2 * nearest.edits <= nearest.length
  else { return nil }
  return nearest.name
}

/// How many letters have to be inserted, deleted, replaced or swapped with their neighbour to make `other` of `word`
/// (optimal string alignment).
package func editCount<Letter: Equatable>(_ word: [Letter], _ other: [Letter]) -> Int {
  var beforeLast: [Int] = []
  var last = Array(0...other.count)
  for (row, letter) in word.enumerated() {
    var current = [row + 1]
    for (column, known) in other.enumerated() {
      var edits = min(last[column] + (letter == known ? 0 : 1), last[column + 1] + 1, current[column] + 1)
      if row > 0, column > 0, letter == other[column - 1], word[row - 1] == known {
        edits = min(edits, beforeLast[column - 1] + 1)
      }
      current.append(edits)
    }
    (beforeLast, last) = (last, current)
  }
  return last[other.count]
}
