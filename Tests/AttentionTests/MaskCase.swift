import Attention

/// One mask in two forms: as users compose it, and as the plain definition for the oracle.
struct MaskCase: Sendable, CustomStringConvertible {
  let name: String
  let make: @Sendable (ProblemShape) -> (mask: AttentionMask, rules: Rules)

  var description: String { name }

  /// The definition of a mask, over (sequence, head, query, key).
  struct Rules {
    var isVisible: (Int, Int, Int, Int) -> Bool = { _, _, _, _ in true }
    var bias: (Int, Int, Int, Int) -> Double = { _, _, _, _ in 0 }
  }

  static let all: [MaskCase] = [
    MaskCase(name: "none") { _ in (.none, Rules()) },
    MaskCase(name: "causal") { shape in
      (.causal, Rules(isVisible: { _, _, i, j in j <= i + shape.keys - shape.queries }))
    },
    MaskCase(name: "causal top-left") { _ in
      (.causal(.topLeft), Rules(isVisible: { _, _, i, j in j <= i }))
    },
    MaskCase(name: "causal with a negative offset") { _ in
      (.causal(.offset(-2)), Rules(isVisible: { _, _, i, j in j <= i - 2 }))
    },
    MaskCase(name: "causal with an offset a sequence") { shape in
      let offsets = (0..<shape.batch).map { 3 * $0 - 1 }
      return (.causal(.offsets(offsets)), Rules(isVisible: { b, _, i, j in j <= i + offsets[b] }))
    },
    MaskCase(name: "window on both sides") { shape in
      let offset = shape.keys - shape.queries
      return (
        .window(left: 5, right: 2),
        Rules(isVisible: { _, _, i, j in i + offset - 5 <= j && j <= i + offset + 2 })
      )
    },
    MaskCase(name: "window to the left, causal") { shape in
      let offset = shape.keys - shape.queries
      return (
        .causal & .window(left: 40),
        Rules(isVisible: { _, _, i, j in i + offset - 40 <= j && j <= i + offset })
      )
    },
    MaskCase(name: "window to the right, top-left") { _ in
      (.window(right: 3, .topLeft), Rules(isVisible: { _, _, i, j in j <= i + 3 }))
    },
    MaskCase(name: "key lengths") { shape in
      let lengths = (0..<shape.batch).map { shape.keys * $0 / max(1, shape.batch - 1) }
      return (.keyLengths(lengths), Rules(isVisible: { b, _, _, j in j < lengths[b] }))
    },
    MaskCase(name: "key lengths, causal") { shape in
      let lengths = (0..<shape.batch).map { max(0, shape.keys - 3 * $0) }
      return (
        .keyLengths(lengths) & .causal,
        Rules(isVisible: { b, _, i, j in j < lengths[b] && j <= i + lengths[b] - shape.queries })
      )
    },
    MaskCase(name: "boolean, some rows empty") { shape in
      let mask = sparseMask([shape.batch, shape.queryHeads, shape.queries, shape.keys], emptyEvery: 5)
      return (.boolean(mask), Rules(isVisible: { mask[$0, $1, $2, $3] }))
    },
    MaskCase(name: "boolean, broadcast over heads and queries") { shape in
      let mask = sparseMask([shape.batch, 1, 1, shape.keys], emptyEvery: 1000)
      return (.boolean(mask), Rules(isVisible: { b, _, _, j in mask[b, 0, 0, j] }))
    },
    MaskCase(name: "boolean, transposed storage") { shape in
      let mask = sparseMask([shape.keys, shape.queries], emptyEvery: 1000).transposed()
      return (.boolean(mask), Rules(isVisible: { _, _, i, j in mask[i, j] }))
    },
    MaskCase(name: "boolean, shorter than the keys") { shape in
      let count = max(2, shape.keys - 3)
      let mask = sparseMask([shape.queries, min(count, shape.keys)], emptyEvery: 7)
      return (.boolean(mask), Rules(isVisible: { _, _, i, j in j < mask.shape[1] && mask[i, j] }))
    },
    MaskCase(name: "additive with hidden keys") { shape in
      let bias = biasTensor([shape.batch, shape.queryHeads, shape.queries, shape.keys], Float.self)
      return (.additive(bias), Rules(bias: { Double(bias[$0, $1, $2, $3]) }))
    },
    MaskCase(name: "additive in Double, one a head") { shape in
      let bias = biasTensor([shape.queryHeads, 1, shape.keys], Double.self)
      return (.additive(bias), Rules(bias: { _, h, _, j in Double(Float(bias[h, 0, j])) }))
    },
    MaskCase(name: "additive in BFloat16, every second key of storage") { shape in
      let bias = biasTensor([shape.queries, 2 * shape.keys], BFloat16.self)
        .sliced(axis: 1, 0..<2 * shape.keys, by: 2)
      return (.additive(bias), Rules(bias: { _, _, i, j in bias[i, j].doubleValue }))
    },
    MaskCase(name: "everything at once") { shape in
      let offset = shape.keys - shape.queries
      let mask = sparseMask([shape.queryHeads, shape.queries, shape.keys], emptyEvery: 9)
      let bias = biasTensor([shape.batch, 1, shape.queries, shape.keys], Float16.self)
      let other = biasTensor([shape.keys], Float.self)
      return (
        .causal & .window(left: 60, right: 4) & .boolean(mask) & .additive(bias) & .additive(other),
        Rules(
          isVisible: { _, h, i, j in
            j <= i + offset && j >= i + offset - 60 && mask[h, i, j]
          },
          bias: { b, _, i, j in bias[b, 0, i, j].doubleValue + Double(other[j]) })
      )
    },
  ]

  private static func sparseMask(_ shape: Shape, emptyEvery: Int) -> Tensor<Bool> {
    var generator = SplitMix(seed: UInt64(shape.reduce(17) { $0 &* 31 &+ $1 }))
    let columns = max(1, shape.fromEnd(1))
    let count = shape.reduce(1, *)
    let elements = (0..<count).map { index in
      (index / columns) % emptyEvery != emptyEvery - 1 && generator.next() % 10 < 6
    }
    return Tensor(unsafeUninitializedShape: shape) { _ = $0.initialize(fromContentsOf: elements) }
  }

  private static func biasTensor<E: FloatingPointElement>(_ shape: Shape, _: E.Type) -> Tensor<E> {
    var generator = SplitMix(seed: UInt64(shape.reduce(23) { $0 &* 31 &+ $1 }))
    let elements = (0..<shape.reduce(1, *)).map { _ in
      let bits = generator.next()
      return bits % 11 == 0 ? E(nearest: -.infinity) : E(nearest: Double(bits >> 40) * 0x1p-23 - 1)
    }
    return Tensor(unsafeUninitializedShape: shape) { _ = $0.initialize(fromContentsOf: elements) }
  }
}

/// Steele, Lea and Flood's generator: small, and the same everywhere.
struct SplitMix: RandomNumberGenerator {
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
