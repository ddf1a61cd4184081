import Attention
import Testing

/// Problems that do not fit are refused by name, before anything is written.
@Suite struct AttentionErrorTests {
  struct BadShapes: Sendable, CustomTestStringConvertible {
    let q: Shape
    let k: Shape
    let v: Shape
    let argument: String
    let fragments: [String]
    var testDescription: String { "q \(q) k \(k) v \(v)" }
  }

  @Test(arguments: [
    BadShapes(
      q: [2, 3, 4], k: [1, 2, 3, 4], v: [1, 2, 3, 4], argument: "queries",
      fragments: ["[2, 3, 4]", "[B, Hq, Tq, D]"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [1, 2, 12], v: [1, 2, 3, 4], argument: "keys", fragments: ["[1, 2, 12]"]),
    BadShapes(q: [1, 2, 3, 4], k: [1, 2, 3, 4], v: [6, 4], argument: "values", fragments: ["[6, 4]"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [2, 2, 3, 4], v: [2, 2, 3, 4], argument: "keys",
      fragments: ["[2, 2, 3, 4]", "[1, 2, 3, 4]"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [1, 2, 3, 5], v: [1, 2, 3, 5], argument: "keys",
      fragments: ["[1, 2, 3, 5]", "[1, 2, 3, 4]"]),
    BadShapes(
      q: [1, 5, 3, 4], k: [1, 2, 3, 4], v: [1, 2, 3, 4], argument: "keys",
      fragments: ["divides", "[1, 5, 3, 4]"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [1, 0, 3, 4], v: [1, 0, 3, 4], argument: "keys", fragments: ["[1, 0, 3, 4]"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [1, 2, 3, 4], v: [1, 2, 7, 4], argument: "values",
      fragments: ["[1, 2, 7, 4]", "[1, 2, 3, 4]"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [1, 2, 3, 4], v: [1, 1, 3, 4], argument: "values", fragments: ["[1, 1, 3, 4]"]),
    BadShapes(
      q: [1, 2, 3, 0], k: [1, 2, 3, 0], v: [1, 2, 3, 4], argument: "queries",
      fragments: ["[1, 2, 3, 0]", "head dimension"]),
    BadShapes(
      q: [1, 2, 3, 4], k: [1, 2, 3, 4], v: [1, 2, 3, 0], argument: "values", fragments: ["[1, 2, 3, 0]"]),
  ])
  func refusesShapesThatDoNotFit(shapes: BadShapes) throws {
    let error = try #require(throws: AttentionError.self) {
      try scaledDotProductAttention(
        queries: Tensor<Float>.zeros(shapes.q), keys: Tensor<Float>.zeros(shapes.k),
        values: Tensor<Float>.zeros(shapes.v))
    }
    #expect(error.argument == shapes.argument)
    for fragment in shapes.fragments { #expect(error.reason.contains(fragment), "\(error)") }
  }

  @Test func refusesSizesThatOverflowBLAS() throws {
    let length = Int(Int32.max) + 1
    func giant(_ shape: Shape) throws -> Tensor<Float> {
      try Tensor<Float>.zeros([1, 1, 1, 1]).broadcast(to: shape)
    }
    let small = Tensor<Float>.zeros([1, 1, 1, 1])
    let cases: [(Tensor<Float>, Tensor<Float>, Tensor<Float>, String)] = [
      (try giant([1, 1, length, 1]), small, small, "queries"),
      (small, try giant([1, 1, length, 1]), try giant([1, 1, length, 1]), "keys"),
      (try giant([1, 1, 1, length]), try giant([1, 1, 1, length]), small, "queries"),
      (small, small, try giant([1, 1, 1, length]), "values"),
      (
        // Each fits; the output of 2^70 elements does not.
        try giant([1 << 20, 1 << 20, 1 << 20, 1]), try giant([1 << 20, 1 << 20, 1, 1]),
        try giant([1 << 20, 1 << 20, 1, 1 << 10]), "queries"
      ),
      (try giant([1, 1 << 20, 1 << 20, 1]), small, small, "queries"),
    ]
    for (q, k, v, argument) in cases {
      let error = try #require(throws: AttentionError.self) {
        try scaledDotProductAttention(queries: q, keys: k, values: v)
      }
      #expect(error.argument == argument, "\(error)")
    }
  }

  @Test func refusesVectorsThatNoTileHolds() throws {
    let one = Tensor<Float>.zeros([1, 1, 1, 1])
    let wide = try one.broadcast(to: [1, 1, 1, Int(Int32.max)])
    let heads = #expect(throws: AttentionError.self) {
      try scaledDotProductAttention(queries: wide, keys: wide, values: one)
    }
    #expect(heads?.argument == "queries")
    let values = #expect(throws: AttentionError.self) {
      try scaledDotProductAttention(queries: one, keys: one, values: wide)
    }
    #expect(values?.argument == "values")
  }

  @Test func anEmptyBatchOfAnySizeCostsNothing() throws {
    let empty = Tensor<Float>.zeros([Int(Int32.max), 1, 0, 1])
    let output = try scaledDotProductAttention(queries: empty, keys: empty, values: empty, mask: .causal)
    #expect(output.shape == empty.shape)
  }

  @Test(.timeLimit(.minutes(1))) func anEmptyBatchOfAnySizeCostsNothingInPartsAndPlans() throws {
    let attend = ScaledDotProductAttention(mask: .causal)
    let beyond = Tensor<Float>.zeros([1 << 40, 1, 0, 1])
    let parts = KeyValues(joining: [
      KeyValues(keys: beyond, values: beyond), KeyValues(keys: beyond, values: beyond),
    ])
    #expect(throws: AttentionError.self) { try attend(beyond, parts) }
    // The most sequences that there may be.
    let empty = Tensor<Float>.zeros([Int(Int32.max), 1, 0, 1])
    let tensors = KeyValues(keys: empty, values: empty)
    #expect(try attend(empty, KeyValues(joining: [tensors, tensors])).shape == empty.shape)
    let plan = try attend.plan(empty, tensors)
    var output = empty
    try output.withMutableView { (view) throws(AttentionError) in try plan.run(empty, tensors, to: view) }
    #expect(output.shape == empty.shape)
  }

  @Test func refusesResultsThatNoMemoryHolds() throws {
    // 2⁵⁸ floats, read from one.
    let one = Tensor<Float>.zeros([1, 1, 1, 1])
    let queries = try one.broadcast(to: [1 << 20, 1 << 10, 1 << 10, 1])
    let keys = try one.broadcast(to: [1 << 20, 1 << 10, 1, 1])
    let values = try one.broadcast(to: [1 << 20, 1 << 10, 1, 1 << 18])
    let error = try #require(throws: AttentionError.self) {
      try scaledDotProductAttention(queries: queries, keys: keys, values: values)
    }
    #expect(error.argument == "queries" && error.reason.contains("memory"), "\(error)")
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity, 1e300])
  func refusesScalesThatAreNotFinite(scale: Double) throws {
    let one = Tensor<Float>.zeros([1, 1, 1, 1])
    let error = try #require(throws: AttentionError.self) {
      try scaledDotProductAttention(queries: one, keys: one, values: one, scale: scale)
    }
    #expect(error.argument == "scale")
  }

  @Test func acceptsALargeScaleForDouble() throws {
    let one = Tensor<Double>(repeating: 1e-150, shape: [1, 1, 1, 1])
    #expect(
      try scaledDotProductAttention(queries: one, keys: one, values: one, scale: 1e300).elements == [1e-150])
  }

  @Test(arguments: [
    AttentionMask.causal(.offset(1 << 40)), .causal(.offset(.min)), .causal(.offsets([0])),
    .causal(.offsets([0, .max])),
    .window(left: -1), .window(left: 1, right: -3), .causal(.topLeft) & .window(left: 1, .bottomRight),
    .boolean(.zeros([3, 5, 5])), .boolean(.zeros([4, 7])), .boolean(.zeros([1, 2, 2, 4, 5])),
    .additive(Tensor<Float>.zeros([2, 2, 3, 5])),
    .additive(Tensor<BFloat16>.zeros([3])) & .boolean(.zeros([6])),
  ])
  func refusesMasksThatDoNotFit(mask: AttentionMask) throws {
    let q = Tensor<Float>.zeros([2, 2, 4, 3])
    let kv = Tensor<Float>.zeros([2, 2, 5, 3])
    let error = try #require(throws: AttentionError.self) {
      try scaledDotProductAttention(queries: q, keys: kv, values: kv, mask: mask)
    }
    #expect(error.argument == "mask")
  }

  @Test func farWindowsAndOffsetsDoNotOverflow() throws {
    let q = Tensor<Float>.normal([1, 1, 4, 3], seed: 1)
    let plain = try scaledDotProductAttention(queries: q, keys: q, values: q)
    for mask in [
      AttentionMask.window(left: .max, right: .max), .causal(.offset(Int(Int32.max))),
      .window(left: .max, right: .max, .offset(Int(Int32.min))),
    ] {
      #expect(try scaledDotProductAttention(queries: q, keys: q, values: q, mask: mask) == plain)
    }
    let none = try scaledDotProductAttention(
      queries: q, keys: q, values: q, mask: .causal(.offset(Int(Int32.min))))
    #expect(none == .zeros([1, 1, 4, 3]))
  }

  @Test func aWrongOutputIsRefusedAndUntouched() throws {
    let q = Tensor<Float>.normal([1, 1, 4, 3], seed: 1)
    let (attend, keyValues) = (ScaledDotProductAttention(), KeyValues(keys: q, values: q))
    var output = Tensor<Float>(repeating: 5, shape: [1, 1, 3, 3])
    output.withMutableView { view in
      expectRefusal(of: "output", "[1, 1, 3, 3]", "[1, 1, 4, 3]") {
        try attend.write(q, keyValues, to: view)
      }
    }
    #expect(output == Tensor<Float>(repeating: 5, shape: [1, 1, 3, 3]))

    var fits = Tensor<Float>(repeating: 5, shape: [1, 1, 4, 3])
    fits.withMutableView { view in
      let repeated = MutableTensorView(base: view.base, shape: view.shape, strides: [0, 0, 0, 1])
      let error = #expect(throws: AttentionError.self) {
        try ScaledDotProductAttention().write(q, KeyValues(keys: q, values: q), to: repeated)
      }
      #expect(error?.argument == "output")
      let overlapping = MutableTensorView(base: view.base, shape: view.shape, strides: [12, 12, 1, 1])
      let overlap = #expect(throws: AttentionError.self) {
        try ScaledDotProductAttention().write(q, KeyValues(keys: q, values: q), to: overlapping)
      }
      #expect(overlap?.argument == "output")
      let wrong = MutableTensorView(base: view.base, shape: [1, 1, 3])
      let sumError = #expect(throws: AttentionError.self) {
        try ScaledDotProductAttention().write(q, KeyValues(keys: q, values: q), to: view, logSumExp: wrong)
      }
      #expect(sumError?.argument == "logSumExp")
    }
    #expect(fits == Tensor<Float>(repeating: 5, shape: [1, 1, 4, 3]))
  }
}
