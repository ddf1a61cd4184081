/// A checksum of 64 bits that finds damage, not forgery.
///
/// From 0xcbf29ce484222325 on, each 8 bytes, little-endian, give `h = (h ^ word) * 0x9e3779b97f4a7c15; h ^= h >> 32`; zeros fill the
/// last 8, and the number of bytes comes as one more word. Each step is one to one in `h` and in the word, so that a change within one
/// word is always found. Not FNV-1a itself: byte by byte it would take longer than reading the rows.
struct CacheChecksum {
  private var state: UInt64 = 0xcbf2_9ce4_8422_2325
  /// The bytes of a word that is not full.
  private var pending: UInt64 = 0
  private var byteCount: UInt64 = 0

  private mutating func add(word: UInt64) {
    state = (state ^ word) &* 0x9e37_79b9_7f4a_7c15
    state ^= state >> 32
  }

  private mutating func add(byte: UInt8) {
    pending |= UInt64(byte) << (8 * (byteCount % 8))
    byteCount += 1
    if byteCount.isMultiple(of: 8) {
      add(word: pending)
      pending = 0
    }
  }

  mutating func add(_ bytes: UnsafeRawBufferPointer) {
    var next = 0
    while next < bytes.count, !byteCount.isMultiple(of: 8) {
      add(byte: bytes[next])
      next += 1
    }
    while bytes.count - next >= 8 {
      add(word: UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: next, as: UInt64.self)))
      byteCount += 8
      next += 8
    }
    while next < bytes.count {
      add(byte: bytes[next])
      next += 1
    }
  }

  /// 16 hexadecimal digits.
  var text: String {
    var end = self
    if !byteCount.isMultiple(of: 8) { end.add(word: pending) }
    end.add(word: byteCount)
    let digits = String(end.state, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
  }
}
