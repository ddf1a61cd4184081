import Attention
import TestSupport

/// One mask in two forms: as users compose it, and as the plain definition for the oracle.
struct MaskCase: Sendable, CustomStringConvertible {
  let name: String
  /// What the mask asks of a kernel.
  var demand = MaskDemand.ranges
  /// How many keys each sequence has; nil where all are in use.
  var keyLengths: @Sendable (ProblemShape) -> [Int]? = { _ in nil }
  let make: @Sendable (ProblemShape) -> (mask: AttentionMask, rules: MaskRules)

  var description: String { name }

  /// Keys and values of a shape, with the lengths of the case.
  func keyValues<E: AttentionElement>(_ inputs: AttentionTensors<E>, _ shape: ProblemShape) -> KeyValues {
    KeyValues(keys: inputs.k, values: inputs.v, lengths: keyLengths(shape))
  }

  static let all: [MaskCase] = [
    MaskCase(name: "none") { _ in (.none, MaskRules()) },
    MaskCase(name: "causal") { shape in
      (.causal, MaskRules(isVisible: { _, _, i, j in j <= i + shape.keys - shape.queries }))
    },
    MaskCase(name: "causal top-left") { _ in
      (.causal(.topLeft), MaskRules(isVisible: { _, _, i, j in j <= i }))
    },
    MaskCase(name: "causal with a negative offset") { _ in
      (.causal(.offset(-2)), MaskRules(isVisible: { _, _, i, j in j <= i - 2 }))
    },
    MaskCase(name: "causal with an offset a sequence") { shape in
      let offsets = (0..<shape.batch).map { 3 * $0 - 1 }
      return (.causal(.offsets(offsets)), MaskRules(isVisible: { b, _, i, j in j <= i + offsets[b] }))
    },
    MaskCase(name: "window on both sides") { shape in
      let offset = shape.keys - shape.queries
      return (
        .window(left: 5, right: 2),
        MaskRules(isVisible: { _, _, i, j in i + offset - 5 <= j && j <= i + offset + 2 })
      )
    },
    MaskCase(name: "window to the left, causal") { shape in
      let offset = shape.keys - shape.queries
      return (
        .causal & .window(left: 40),
        MaskRules(isVisible: { _, _, i, j in i + offset - 40 <= j && j <= i + offset })
      )
    },
    MaskCase(name: "window to the right, top-left") { _ in
      (.window(right: 3, .topLeft), MaskRules(isVisible: { _, _, i, j in j <= i + 3 }))
    },
    MaskCase(name: "key lengths", keyLengths: spreadLengths) { shape in
      let lengths = spreadLengths(shape)
      return (.none, MaskRules(isVisible: { b, _, _, j in j < lengths[b] }))
    },
    MaskCase(name: "key lengths, causal", keyLengths: shrinkingLengths) { shape in
      let lengths = shrinkingLengths(shape)
      return (
        .causal,
        MaskRules(isVisible: { b, _, i, j in j < lengths[b] && j <= i + lengths[b] - shape.queries })
      )
    },
    MaskCase(name: "boolean, some rows empty", demand: .tensors) { shape in
      let mask = sparseMask([shape.batch, shape.heads.query, shape.queries, shape.keys], emptyEvery: 5)
      return (.boolean(mask), MaskRules(isVisible: { mask[$0, $1, $2, $3] }))
    },
    MaskCase(name: "boolean, broadcast over heads and queries", demand: .tensors) { shape in
      let mask = sparseMask([shape.batch, 1, 1, shape.keys], emptyEvery: 1000)
      return (.boolean(mask), MaskRules(isVisible: { b, _, _, j in mask[b, 0, 0, j] }))
    },
    MaskCase(name: "boolean, transposed storage", demand: .tensors) { shape in
      let mask = sparseMask([shape.keys, shape.queries], emptyEvery: 1000).transposed()
      return (.boolean(mask), MaskRules(isVisible: { _, _, i, j in mask[i, j] }))
    },
    MaskCase(name: "boolean, shorter than the keys", demand: .tensors) { shape in
      let count = max(2, shape.keys - 3)
      let mask = sparseMask([shape.queries, min(count, shape.keys)], emptyEvery: 7)
      return (.boolean(mask), MaskRules(isVisible: { _, _, i, j in j < mask.shape[1] && mask[i, j] }))
    },
    MaskCase(name: "additive with hidden keys", demand: .tensors) { shape in
      let bias = biasTensor([shape.batch, shape.heads.query, shape.queries, shape.keys], Float.self)
      return (.additive(bias), MaskRules(bias: { Double(bias[$0, $1, $2, $3]) }))
    },
    MaskCase(name: "additive in Double, one a head", demand: .tensors) { shape in
      let bias = biasTensor([shape.heads.query, 1, shape.keys], Double.self)
      return (.additive(bias), MaskRules(bias: { _, h, _, j in Double(Float(bias[h, 0, j])) }))
    },
    MaskCase(name: "additive in BFloat16, every second key of storage", demand: .tensors) { shape in
      let bias = biasTensor([shape.queries, 2 * shape.keys], BFloat16.self)
        .sliced(axis: 1, 0..<2 * shape.keys, by: 2)
      return (.additive(bias), MaskRules(bias: { _, _, i, j in bias[i, j].doubleValue }))
    },
    MaskCase(name: "everything at once", demand: .tensors) { shape in
      let offset = shape.keys - shape.queries
      let mask = sparseMask([shape.heads.query, shape.queries, shape.keys], emptyEvery: 9)
      let bias = biasTensor([shape.batch, 1, shape.queries, shape.keys], Float16.self)
      let other = biasTensor([shape.keys], Float.self)
      return (
        .causal & .window(left: 60, right: 4) & .boolean(mask) & .additive(bias) & .additive(other),
        MaskRules(
          isVisible: { _, h, i, j in
            j <= i + offset && j >= i + offset - 60 && mask[h, i, j]
          },
          bias: { b, _, i, j in bias[b, 0, i, j].doubleValue + Double(other[j]) })
      )
    },
  ]

  /// From no key to all of them.
  @Sendable private static func spreadLengths(_ shape: ProblemShape) -> [Int] {
    (0..<shape.batch).map { shape.keys * $0 / max(1, shape.batch - 1) }
  }

  /// 3 keys fewer from sequence to sequence.
  @Sendable private static func shrinkingLengths(_ shape: ProblemShape) -> [Int] {
    (0..<shape.batch).map { max(0, shape.keys - 3 * $0) }
  }

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
