/// A table from pairs of 32-bit numbers to pairs of 32-bit numbers: open addressing, seeded like `TokenIndex`.
struct PairTable: Sendable {
  private struct Slot {
    var key: UInt64
    var value: UInt64
  }

  /// No pair of token ids has this key: ids are less than 2^31.
  private static let absent = UInt64.max

  private var slots: [Slot]
  private let seed: UInt64
  private(set) var count = 0

  init(minimumCapacity: Int) {
    var size = 16
    while size < 2 * minimumCapacity { size *= 2 }
    slots = [Slot](repeating: Slot(key: Self.absent, value: 0), count: size)
    seed = UInt64.random(in: 0...UInt64.max)
  }

  static func key(_ left: Int, _ right: Int) -> UInt64 {
    UInt64(UInt32(truncatingIfNeeded: left)) << 32 | UInt64(UInt32(truncatingIfNeeded: right))
  }

  subscript(key: UInt64) -> UInt64? {
    var slot = place(of: key)
    while slots[slot].key != Self.absent {
      if slots[slot].key == key { return slots[slot].value }
      slot = (slot + 1) & (slots.count - 1)
    }
    return nil
  }

  /// Enters a value unless the key has one, which then stays and is returned.
  mutating func insert(_ value: UInt64, for key: UInt64) -> UInt64? {
    if 2 * (count + 1) > slots.count { grow() }
    var slot = place(of: key)
    while slots[slot].key != Self.absent {
      if slots[slot].key == key { return slots[slot].value }
      slot = (slot + 1) & (slots.count - 1)
    }
    slots[slot] = Slot(key: key, value: value)
    count += 1
    return nil
  }

  private func place(of key: UInt64) -> Int {
    Int(truncatingIfNeeded: mixed(key ^ seed) >> 1) & (slots.count - 1)
  }

  private mutating func grow() {
    let old = slots
    slots = [Slot](repeating: Slot(key: Self.absent, value: 0), count: 2 * old.count)
    count = 0
    for slot in old where slot.key != Self.absent { _ = insert(slot.value, for: slot.key) }
  }
}
