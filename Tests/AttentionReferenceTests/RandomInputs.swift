import AttentionReference
import Tensors

/// The same pseudorandom numbers on every run (SplitMix64).
struct SeededGenerator: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A tensor of numbers of unit variance, the same for the same seed.
func randomTensor<E: FloatingPointElement>(_ shape: Shape, seed: UInt64, as _: E.Type) -> Tensor<E> {
  var generator = SeededGenerator(seed: seed)
  // Uniform on ±√3 has variance 1.
  let limit = 3.0.squareRoot()
  return Tensor(unsafeUninitializedShape: shape) { buffer in
    for index in buffer.indices {
      buffer.initializeElement(
        at: index, to: E(nearest: Double.random(in: -limit...limit, using: &generator)))
    }
  }
}

/// Sizes of a problem, as they stand in a test's name.
struct Sizes: Sendable, CustomStringConvertible {
  var (B, Hq, Hkv, Tq, Tk, D, Dv) = (1, 1, 1, 1, 1, 1, 1)

  init(_ B: Int, _ Hq: Int, _ Hkv: Int, _ Tq: Int, _ Tk: Int, _ D: Int, _ Dv: Int) {
    (self.B, self.Hq, self.Hkv, self.Tq, self.Tk, self.D, self.Dv) = (B, Hq, Hkv, Tq, Tk, D, Dv)
  }

  var description: String { "B \(B) Hq \(Hq) Hkv \(Hkv) Tq \(Tq) Tk \(Tk) D \(D) Dv \(Dv)" }

  /// Queries, keys and values of unit variance.
  func inputs<E: FloatingPointElement>(
    seed: UInt64, as type: E.Type
  ) -> (queries: Tensor<E>, keys: Tensor<E>, values: Tensor<E>) {
    (
      randomTensor([B, Hq, Tq, D], seed: seed, as: type),
      randomTensor([B, Hkv, Tk, D], seed: seed + 1, as: type),
      randomTensor([B, Hkv, Tk, Dv], seed: seed + 2, as: type)
    )
  }
}
