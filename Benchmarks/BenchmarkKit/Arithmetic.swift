import CMachineProbe

/// What multiply-adds are computed in, which decides how many a CPU can do.
package enum Arithmetic: Sendable, CaseIterable {
  /// Fused multiply-adds of Float32.
  case float32
  /// Fused multiply-adds of Float64.
  case float64
  /// Dot products of two pairs of bfloat16 numbers, added to a Float32: `vdpbf16ps` of AVX512_BF16.
  case bfloat16

  /// Whether this CPU has instructions for it; for Float32 and Float64 every one has.
  package var isSupported: Bool { CMachineProbe_supports(probed) }

  /// Itself, or what a CPU without it computes in: bfloat16 numbers are then widened to Float32.
  package var onThisMachine: Arithmetic { isSupported ? self : .float32 }

  /// The limit's name in reports.
  package var limitName: String {
    switch self {
    case .float32, .float64: "fma"
    case .bfloat16: "bf16"
    }
  }

  /// The element type whose arithmetic it is.
  var typeName: String {
    switch self {
    case .float32: "f32"
    case .float64: "f64"
    case .bfloat16: "bf16"
    }
  }

  var probed: CMachineProbe_Arithmetic {
    switch self {
    case .float32: CMachineProbe_float32
    case .float64: CMachineProbe_float64
    case .bfloat16: CMachineProbe_bfloat16
    }
  }
}
