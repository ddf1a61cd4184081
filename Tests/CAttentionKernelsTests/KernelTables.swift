import CAttentionKernels

/// The kernel tables of this CPU, for parameterised tests.
enum KernelTables {
  static var names: [String] {
    var names: [String] = []
    while let name = CAttentionKernels_name(Int32(names.count)) { names.append(String(cString: name)) }
    return names
  }

  static func named(_ name: String) -> UnsafePointer<CAttentionKernels> {
    guard let table = CAttentionKernels_named(name) else { preconditionFailure("no set \(name)") }
    return table
  }
}

/// Steele, Lea and Flood's SplitMix64: the same numbers everywhere.
struct SystemIndependentGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
