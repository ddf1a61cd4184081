import Attention
import Parallelism
import Testing

/// Every mask on odd shapes, in every element type and on every instruction set, against the oracle.
@Suite struct KernelTests {
  /// Every kernel, on the best instruction set.
  private static let best = ForcedVariant.best

  @Test(arguments: MaskCase.all, ForcedVariant.all)
  func agreesWithTheOracle(mask: MaskCase, variant: ForcedVariant) throws {
    for shape in ProblemShape.grid {
      try check(shape, mask, variant, Float.self)
      try check(shape, mask, variant, Double.self)
      try check(shape, mask, variant, Float16.self)
      try check(shape, mask, variant, BFloat16.self)
    }
  }

  @Test(arguments: MaskCase.all)
  func agreesWithTheOracleOverManyTiles(mask: MaskCase) throws {
    for shape in ProblemShape.large {
      for variant in Self.best { try check(shape, mask, variant, Float.self) }
    }
  }

  @Test(arguments: [1, 2, 3, 5, 15, 16, 17, 31, 32, 33, 63, 64, 65, 80, 96, 127, 128, 129, 255, 256])
  func takesAnyHeadDimension(width: Int) throws {
    let shape = ProblemShape(
      queryHeads: 2, keyValueHeads: 1, queries: 19, keys: 45, headDimension: width,
      valueDimension: 257 - width)
    for variant in Self.best {
      try check(shape, MaskCase.all[1], variant, Float.self)
      try check(shape, MaskCase.all[1], variant, BFloat16.self)
    }
  }

  @Test(arguments: [127, 128, 129, 175, 176, 177, 191, 192, 193, 511, 512, 513])
  func agreesAtTheEdgesOfTiles(count: Int) throws {
    for mask in [MaskCase.all[0], MaskCase.all[1], MaskCase.all[5]] {
      for (queries, keys) in [(count, count), (3, count), (count, 20)] {
        let shape = ProblemShape(
          queryHeads: 1, keyValueHeads: 1, queries: queries, keys: keys, headDimension: 8, valueDimension: 5)
        for variant in Self.best { try check(shape, mask, variant, Float.self) }
      }
    }
  }

  @Test func readsAnyStrides() throws {
    let shape = ProblemShape(
      batch: 2, queryHeads: 4, keyValueHeads: 2, queries: 21, keys: 37, headDimension: 16, valueDimension: 12)
    let (q, k, v) = shape.inputs(Float.self)
    let expected = try scaledDotProductAttention(queries: q, keys: k, values: v, mask: .causal)
    for layout in Layout<Float>.all {
      let output = try scaledDotProductAttention(
        queries: layout.store(q), keys: layout.store(k), values: layout.store(v), mask: .causal)
      #expect(output == expected, "\(layout.name)")
    }
  }

  @Test func readsKeysThatRepeatAndOverlap() throws {
    // One key row for all (stride 0), and windows onto one line (a row stride below the width): BLAS takes neither.
    let q = Tensor<Float>.normal([1, 1, 5, 8], seed: 1)
    let one = try Tensor<Float>.normal([1, 1, 1, 8], seed: 2).broadcast(to: [1, 1, 9, 8])
    let line = Tensor<Float>.normal([16], seed: 3)
    let windows = try line.withUnsafePointer { base in
      try Tensor(unsafeExternal: base, shape: [1, 1, 9, 8], strides: [0, 0, 1, 1]) { [line] in _ = line }
    }
    for keys in [one, windows] {
      let inputs = (q: q, k: keys, v: windows)
      let result = try scaledDotProductAttentionWithLogSumExp(queries: q, keys: keys, values: windows)
      expectMatchesOracle(result, inputs, MaskCase.Rules(), "strides \(keys.strides)")
    }
  }

  @Test func scalesAsAsked() throws {
    let shape = ProblemShape(queries: 9, keys: 14, headDimension: 12, valueDimension: 7)
    let inputs = shape.inputs(Float.self)
    for scale in [0, -0.5, 1, 0.01] {
      let result = try scaledDotProductAttentionWithLogSumExp(
        queries: inputs.q, keys: inputs.k, values: inputs.v, scale: scale)
      expectMatchesOracle(result, inputs, scale: scale, MaskCase.Rules(), "scale \(scale)")
    }
  }

  private func check<E: AttentionElement>(
    _ shape: ProblemShape, _ mask: MaskCase, _ variant: ForcedVariant, _: E.Type
  ) throws {
    let inputs = shape.inputs(E.self)
    let (composed, rules) = mask.make(shape)
    let result = try variant.attention(
      queries: inputs.q, keys: inputs.k, values: inputs.v, mask: composed, on: Pools.two)
    expectMatchesOracle(result, inputs, rules, "\(shape), \(mask), \(E.elementType), \(variant)")
  }
}

/// Ways to store the same elements.
struct Layout<E: AttentionElement> {
  let name: String
  let store: (Tensor<E>) throws -> Tensor<E>

  static var all: [Layout] {
    [
      Layout(name: "heads beside each other") {
        $0.permuted(0, 2, 1, 3).contiguousCopy().permuted(0, 2, 1, 3)
      },
      Layout(name: "columns of a wider matrix") { tensor in
        var wide = Tensor<E>(
          repeating: E(nearest: .nan),
          shape: [tensor.shape[0], tensor.shape[1], tensor.shape[2], tensor.shape[3] + 5])
        let width = tensor.shape[3]
        wide.withMutableView { copy(tensor, into: $0.sliced(axis: 3, 3..<3 + width)) }
        return wide.sliced(axis: 3, 3..<3 + width)
      },
      Layout(name: "transposed") { $0.transposed().contiguousCopy().transposed() },
      Layout(name: "every second row backwards") { tensor in
        var spread = Tensor<E>(
          repeating: E(nearest: .nan),
          shape: [tensor.shape[0], tensor.shape[1], 2 * tensor.shape[2], tensor.shape[3]])
        let strides = spread.strides
        let start = (2 * tensor.shape[2] - 1) * strides[2]
        let backwards: Strides = [strides[0], strides[1], -2 * strides[2], strides[3]]
        spread.withMutableView { view in
          copy(
            tensor, into: MutableTensorView(base: view.base + start, shape: tensor.shape, strides: backwards))
        }
        let owner = spread
        return try owner.withUnsafePointer { base in
          try Tensor(unsafeExternal: base + start, shape: tensor.shape, strides: backwards) { _ = owner }
        }
      },
    ]
  }

  private static func copy(_ tensor: Tensor<E>, into view: MutableTensorView<E>) {
    var position = 0
    let elements = tensor.elements
    for b in 0..<view.shape[0] {
      for h in 0..<view.shape[1] {
        for i in 0..<view.shape[2] {
          for d in 0..<view.shape[3] {
            let offset =
              b * view.strides[0] + h * view.strides[1] + i * view.strides[2] + d * view.strides[3]
            view.base[offset] = elements[position]
            position += 1
          }
        }
      }
    }
  }
}
