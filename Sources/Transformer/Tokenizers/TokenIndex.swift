/// Finds the token that stands for given bytes: an open-addressing table of ids over a `Vocabulary`.
///
/// A `Dictionary` with `String` or `[UInt8]` keys would allocate once a token and once a look-up.
/// The hash is seeded anew in each process, so that a file cannot be made whose tokens all collide.
struct TokenIndex: Sendable {
  private var slots: [Int32]
  private let seed: UInt64
  private(set) var longest = 0

  /// An empty table with room for `tokens` tokens.
  init(tokens: Int) {
    var size = 16
    while size < 2 * tokens { size *= 2 }
    slots = [Int32](repeating: -1, count: size)
    seed = UInt64.random(in: 0...UInt64.max)
  }

  /// Enters a token, unless one with the same bytes is there: then that one's id is returned.
  mutating func insert(_ token: Int, of vocabulary: Vocabulary) -> Int? {
    let bytes = Array(vocabulary[token])
    var slot = hash(bytes, 0..<bytes.count) & (slots.count - 1)
    while slots[slot] >= 0 {
      let other = Int(slots[slot])
      if vocabulary.token(other, equals: bytes, in: 0..<bytes.count) { return other }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Int32(token)
    longest = max(longest, bytes.count)
    return nil
  }

  /// The token that stands for `bytes[range]`.
  func token(for bytes: [UInt8], in range: Range<Int>, of vocabulary: Vocabulary) -> Int? {
    guard range.count <= longest else { return nil }
    var slot = hash(bytes, range) & (slots.count - 1)
    while slots[slot] >= 0 {
      let token = Int(slots[slot])
      if vocabulary.token(token, equals: bytes, in: range) { return token }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  func token(for bytes: [UInt8], of vocabulary: Vocabulary) -> Int? {
    token(for: bytes, in: 0..<bytes.count, of: vocabulary)
  }

  /// Eight bytes a step, each step a multiplication whose halves are folded together.
  private func hash(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
    var state = seed ^ UInt64(truncatingIfNeeded: range.count)
    var index = range.lowerBound
    while index < range.upperBound {
      var word: UInt64 = 0
      let stop = min(index + 8, range.upperBound)
      while index < stop {
        word = word << 8 | UInt64(bytes[index])
        index += 1
      }
      state = mixed(state ^ word)
    }
    return Int(truncatingIfNeeded: mixed(state) >> 1)
  }
}

/// A 64-bit value whose every bit depends on every bit of the argument.
/// The factor is 2^64 divided by the golden ratio, as in Fibonacci hashing (Knuth, TAOCP 3, 6.4).
func mixed(_ value: UInt64) -> UInt64 {
  let product = (value ^ 0x2545_F491_4F6C_DD1D).multipliedFullWidth(by: 0x9E37_79B9_7F4A_7C15)
  return product.high ^ product.low
}
