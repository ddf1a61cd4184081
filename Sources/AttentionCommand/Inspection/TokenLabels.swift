import Foundation

/// The names of positions: tokens where the file has them, numbers always.
struct TokenLabels {
  /// The tokens as the file has them; nil without.
  let tokens: [String]?
  let count: Int

  /// `17 attention`, or `17` without tokens.
  func numbered(_ position: Int, columns: Int = 24) -> String {
    guard let token = shown(position, columns: columns) else { return "\(position)" }
    return "\(position) \(token)"
  }

  /// The token as it may be shown anywhere, or nil without tokens. Quoted where it would be invisible or look cut.
  func shown(_ position: Int, columns: Int) -> String? {
    guard let token = tokens?[position].printable else { return nil }
    let isQuoted = token.isEmpty || token.hasPrefix(" ") || token.hasSuffix(" ")
    return (isQuoted ? "\"\(token)\"" : token).truncated(toColumns: columns)
  }
}

extension TokenLabels {
  /// The labels of queries and of keys, from the metadata `tokens`: a JSON array of strings, one for each position.
  ///
  /// Labels are a help, not an input: text that is no such array, or has another length than both axes, gives none and a
  /// warning. Where there are fewer queries than keys, as in decoding, the tokens are the keys' only: which of them the
  /// queries are, the file does not say.
  static func of(
    _ metadata: [String: String], queries: Int, keys: Int
  ) -> (queries: TokenLabels, keys: TokenLabels, warning: String?) {
    var tokens: [String]?
    var warning: String?
    if let text = metadata["tokens"] {
      tokens = try? JSONDecoder().decode([String].self, from: Data(text.utf8))
      if let count = tokens?.count {
        if count != queries && count != keys {
          warning =
            "metadata tokens has \(count) tokens for \(queries) queries and \(keys) keys, so it is not used"
        }
      } else {
        warning = "metadata tokens is not a JSON array of strings, so it is not used"
      }
    }
    return (
      TokenLabels(tokens: tokens?.count == queries ? tokens : nil, count: queries),
      TokenLabels(tokens: tokens?.count == keys ? tokens : nil, count: keys), warning
    )
  }
}
