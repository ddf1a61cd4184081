/// The tokens that are recognised in the text itself, before it is cut into words: control tokens and those that
/// a user or a training run added. The leftmost match wins, the longest among those that start together.
///
/// They lie in a tree by their bytes, kept in one `PairTable` from (node, byte) to node, so that a text without
/// any of them costs one look at a table of 256 a byte.
struct AddedTokens: Sendable {
  /// How a token is recognised: the flags of `added_tokens` in tokenizer.json.
  struct Rule: Sendable {
    var isSpecial = false
    /// White space before it belongs to it; after it.
    var stripsLeft = false
    var stripsRight = false
    /// It must not touch a letter, a digit or an underscore.
    var isSingleWord = false
  }

  /// Where a token was found, with the white space that belongs to it.
  struct Match {
    let token: Int
    let range: Range<Int>
  }

  private var children = PairTable(minimumCapacity: 64)
  private var terminals: [Int32] = [-1]
  private var starts = [Bool](repeating: false, count: 256)
  private var rules: [Int32: Rule] = [:]

  var isEmpty: Bool { rules.isEmpty }

  /// Adds a token; returns whether another one has the same text.
  mutating func insert(_ token: Int, _ bytes: some Sequence<UInt8>, _ rule: Rule) -> Bool {
    var node = 0
    for byte in bytes {
      if node == 0 { starts[Int(byte)] = true }
      let key = PairTable.key(node, Int(byte))
      let fresh = terminals.count
      if let child = children.insert(UInt64(fresh), for: key) {
        node = Int(child)
      } else {
        terminals.append(-1)
        node = fresh
      }
    }
    guard node != 0, terminals[node] < 0 else { return node != 0 }
    terminals[node] = Int32(token)
    rules[Int32(token)] = rule
    return false
  }

  /// The first match in `range`. Special tokens are looked for only if `specials`, and never where they would
  /// touch a range of `texts` (ascending), which a user wrote.
  func firstMatch(
    in bytes: [UInt8], _ range: Range<Int>, specials: Bool, outside texts: [Range<Int>]
  ) -> Match? {
    guard !isEmpty else { return nil }
    var start = range.lowerBound
    while start < range.upperBound {
      if starts[Int(bytes[start])],
        let match = match(at: start, in: bytes, range, specials: specials, texts)
      {
        return match
      }
      start += 1
    }
    return nil
  }

  private func match(
    at start: Int, in bytes: [UInt8], _ range: Range<Int>, specials: Bool, _ texts: [Range<Int>]
  ) -> Match? {
    var node = 0
    var index = start
    var found: Match?
    while index < range.upperBound,
      let child = children[PairTable.key(node, Int(bytes[index]))]
    {
      node = Int(child)
      index += 1
      let token = terminals[node]
      guard token >= 0, let rule = rules[token] else { continue }
      if rule.isSpecial, !specials || touches(start..<index, texts) { continue }
      if rule.isSingleWord, touchesWord(start..<index, bytes) { continue }
      found = Match(token: Int(token), range: widened(start..<index, rule, bytes, range))
    }
    return found
  }

  private func touches(_ match: Range<Int>, _ texts: [Range<Int>]) -> Bool {
    // The first text that ends behind the match's start.
    var low = 0
    var high = texts.count
    while low < high {
      let middle = (low + high) / 2
      if texts[middle].upperBound > match.lowerBound { high = middle } else { low = middle + 1 }
    }
    return low < texts.count && texts[low].lowerBound < match.upperBound
  }

  private func widened(
    _ match: Range<Int>, _ rule: Rule, _ bytes: [UInt8], _ range: Range<Int>
  ) -> Range<Int> {
    var (start, end) = (match.lowerBound, match.upperBound)
    while rule.stripsLeft, start > range.lowerBound {
      let before = startOfCharacter(before: start, bytes)
      guard Character32(at: before, of: bytes).characterClass == .space else { break }
      start = before
    }
    while rule.stripsRight, end < range.upperBound {
      let character = Character32(at: end, of: bytes)
      guard character.characterClass == .space else { break }
      end += character.length
    }
    return start..<end
  }

  private func touchesWord(_ match: Range<Int>, _ bytes: [UInt8]) -> Bool {
    if match.lowerBound > 0,
      isWordCharacter(at: startOfCharacter(before: match.lowerBound, bytes), bytes)
    {
      return true
    }
    return match.upperBound < bytes.count && isWordCharacter(at: match.upperBound, bytes)
  }

  private func startOfCharacter(before index: Int, _ bytes: [UInt8]) -> Int {
    var start = index - 1
    while start > 0, bytes[start] & 0xC0 == 0x80 { start -= 1 }
    return start
  }

  /// `\w`: letters, marks, decimal digits, connectors and joiners.
  private func isWordCharacter(at index: Int, _ bytes: [UInt8]) -> Bool {
    guard let scalar = Unicode.Scalar(Character32(at: index, of: bytes).point) else { return false }
    if scalar.properties.isAlphabetic || scalar.properties.isJoinControl { return true }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return false
    }
  }
}
