/// How a tokenizer cuts text into words, within which alone it merges: the published patterns, written as scanners.
///
/// `firstWord` returns where the match of the pattern at `start` ends. Text behind `end` counts as absent.
enum WordPattern: Sendable {
  /// No cuts.
  case whole
  /// GPT-2: `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`.
  case gpt2
  /// Llama 3, and Qwen 2 with one digit: `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|`
  /// ` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`.
  case llama3(digits: Int)

  func endOfWord(from start: Int, to end: Int, of bytes: [UInt8]) -> Int {
    switch self {
    case .whole: end
    case .gpt2: gpt2Word(start, end, bytes)
    case .llama3(let digits): llama3Word(start, end, bytes, digits)
    }
  }

  private func gpt2Word(_ start: Int, _ end: Int, _ bytes: [UInt8]) -> Int {
    if let stop = contraction(start, end, bytes, ignoringCase: false) { return stop }
    let first = Character32(at: start, of: bytes)
    var body = start
    var kind = first.characterClass
    if first.point == 0x20, start + 1 < end {
      body = start + 1
      kind = Character32(at: body, of: bytes).characterClass
    }
    switch kind {
    case .letter, .number, .other: return endOfRun(of: kind, body, end, bytes)
    case .space: return endOfSpace(start, end, bytes)
    }
  }

  private func llama3Word(_ start: Int, _ end: Int, _ bytes: [UInt8], _ digits: Int) -> Int {
    if let stop = contraction(start, end, bytes, ignoringCase: true) { return stop }
    let first = Character32(at: start, of: bytes)
    let kind = first.characterClass
    let second = start + first.length
    let secondKind = second < end ? Character32(at: second, of: bytes).characterClass : nil
    switch kind {
    case .letter:
      return endOfRun(of: .letter, start, end, bytes)
    case .number:
      return endOfRun(of: .number, start, end, bytes, limit: digits)
    case .other:
      if secondKind == .letter { return endOfRun(of: .letter, second, end, bytes) }
      return endOfNewlines(endOfRun(of: .other, start, end, bytes), end, bytes)
    case .space:
      if secondKind == .letter, !first.isNewline { return endOfRun(of: .letter, second, end, bytes) }
      if secondKind == .other, first.point == 0x20 {
        return endOfNewlines(endOfRun(of: .other, second, end, bytes), end, bytes)
      }
      let stop = endOfRun(of: .space, start, end, bytes)
      // `\s*[\r\n]+` gives back what follows the last newline of the run.
      for index in stride(from: stop - 1, through: start, by: -1)
      where bytes[index] == 0x0A || bytes[index] == 0x0D {
        return index + 1
      }
      return endOfSpace(start, end, bytes)
    }
  }

  /// `\s+(?!\S)|\s+`: white space leaves its last character to the word that follows, unless it is the only one.
  private func endOfSpace(_ start: Int, _ end: Int, _ bytes: [UInt8]) -> Int {
    var stop = start
    var last = start
    while stop < end {
      let character = Character32(at: stop, of: bytes)
      guard character.characterClass == .space else { break }
      last = stop
      stop += character.length
    }
    return stop == end || last == start ? stop : last
  }

  private func endOfRun(
    of kind: CharacterClass, _ start: Int, _ end: Int, _ bytes: [UInt8], limit: Int = Int.max
  ) -> Int {
    var stop = start
    var count = 0
    while stop < end, count < limit {
      let character = Character32(at: stop, of: bytes)
      guard character.characterClass == kind else { break }
      stop += character.length
      count += 1
    }
    return stop
  }

  private func endOfNewlines(_ start: Int, _ end: Int, _ bytes: [UInt8]) -> Int {
    var stop = start
    while stop < end, bytes[stop] == 0x0A || bytes[stop] == 0x0D { stop += 1 }
    return stop
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`. Where case is ignored, `ſ` (U+017F) is an `s` too: it folds to it.
  private func contraction(
    _ start: Int, _ end: Int, _ bytes: [UInt8], ignoringCase: Bool
  ) -> Int? {
    guard bytes[start] == 0x27, start + 1 < end else { return nil }
    let mask: UInt8 = ignoringCase ? 0x20 : 0
    let first = bytes[start + 1] | mask
    switch first {
    case UInt8(ascii: "s"), UInt8(ascii: "t"), UInt8(ascii: "m"), UInt8(ascii: "d"):
      return start + 2
    case _ where ignoringCase && bytes[start + 1] == 0xC5 && start + 2 < end && bytes[start + 2] == 0xBF:
      return start + 3
    default:
      break
    }
    guard start + 2 < end else { return nil }
    let second = bytes[start + 2] | mask
    switch (first, second) {
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    default: return nil
    }
  }
}
