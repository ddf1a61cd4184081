import LinearAlgebra
import Tensors
import Testing

@Suite struct MatmulTests {
  @Test(arguments: View.allCases, View.allCases)
  func `operands of any strides`(left: View, right: View) throws {
    for (m, k, n) in [
      (5, 7, 3), (17, 64, 65), (1, 33, 20), (20, 33, 1), (1, 1, 1), (2, 1, 3), (0, 3, 2), (3, 2, 0),
    ] {
      let a = try left.make(m, k, of: Float.self, seed: 11)
      let b = try right.make(k, n, of: Float.self, seed: 12)
      let c = try matmul(a, b)
      #expect(c.shape == [m, n] && c.isContiguous)
      let mismatch = ProductOracle(a, b).mismatch(c.elements)
      #expect(mismatch == nil, "\(left) [\(m), \(k)] · \(right) [\(k), \(n)]")
    }
  }

  @Test(arguments: [[3, 0] as Shape, [2, 3, 0]])
  func `a sum of nothing is zero`(shape: Shape) throws {
    let a = Tensor<Double>.zeros(shape)
    let b = Tensor<Double>.zeros([0, 4])
    let c = try matmul(a, b)
    #expect(c.shape.fromEnd(1) == 4 && c.count == shape[0] * (shape.count == 3 ? shape[1] : 1) * 4)
    #expect(c.elements.allSatisfy { $0 == 0 })
    #expect(try matmul(Tensor<Double>.zeros([0]), b).elements == [0, 0, 0, 0])
    #expect(try matmul(Tensor<Double>.zeros([0]), Tensor<Double>.zeros([0])).elements == [0])
  }

  @Test func `one-dimensional operands leave their axis out`() throws {
    let a = randomTensor([4, 6], of: Double.self, seed: 21)
    let x = randomTensor([6], of: Double.self, seed: 22)
    let column = try x.reshaped(to: [6, 1])
    let product = try matmul(a, x)
    #expect(product.shape == [4])
    #expect(ProductOracle(a, column).mismatch(product.elements) == nil)
    let row = try matmul(x, a.transposed())
    #expect(row.shape == [4])
    #expect(ProductOracle(column.transposed(), a.transposed()).mismatch(row.elements) == nil)
    let dot = try matmul(x, x)
    #expect(dot.shape == [])
    #expect(ProductOracle(column.transposed(), column).mismatch(dot.elements) == nil)
    let reversedDot = try matmul(x.sliced(axis: 0, 0..<6, by: 2), x.sliced(axis: 0, 1..<6, by: 2))
    let halves = try x.reshaped(to: [3, 2])
    #expect(
      ProductOracle(halves.sliced(axis: 1, 0..<1).transposed(), halves.sliced(axis: 1, 1..<2))
        .mismatch(reversedDot.elements) == nil)
  }

  @Test(
    arguments: [
      ([2, 3, 4, 5], [2, 3, 5, 6], [2, 3]), ([2, 1, 4, 5], [3, 5, 6], [2, 3]), ([4, 5], [7, 5, 6], [7]),
      ([2, 3, 4, 5], [5, 6], [2, 3]), ([1, 3, 4, 5], [2, 1, 5, 6], [2, 3]), ([0, 4, 5], [5, 6], [0]),
    ] as [(Shape, Shape, Shape)])
  func `batch axes broadcast`(left: Shape, right: Shape, batch: Shape) throws {
    let a = randomTensor(left, of: Float.self, seed: 31)
    let b = randomTensor(right, of: Float.self, seed: 32)
    let c = try matmul(a, b)
    #expect(c.shape == Shape(Array(batch) + [4, 6]))
    let matrices = batch.reduce(1, *)
    let flatA = try a.broadcast(to: Shape(Array(batch) + [4, 5])).reshaped(to: [matrices, 4, 5])
    let flatB = try b.broadcast(to: Shape(Array(batch) + [5, 6])).reshaped(to: [matrices, 5, 6])
    let flatC = try c.reshaped(to: [matrices, 4, 6])
    for matrix in 0..<matrices {
      let (a, b) = (flatA.selected(axis: 0, matrix), flatB.selected(axis: 0, matrix))
      let result = flatC.selected(axis: 0, matrix).elements
      let mismatch = ProductOracle(a, b).mismatch(result)
      #expect(mismatch == nil, "matrix \(matrix) of \(left) · \(right)")
      // Alone and within the batch: the same bits.
      #expect(try matmul(a, b).elements == result, "matrix \(matrix) of \(left) · \(right)")
    }
  }

  @Test func `a batch axis that repeats is not copied out, a permuted one is read in place`() throws {
    // A million matrices stand on one pair of elements; three of them are asked for.
    let row = randomTensor([1, 2, 2], of: Float.self, seed: 33).sliced(axis: 2, 0..<2, by: 2)
    let a = try row.broadcast(to: [1 << 20, 2, 1])
    let c = try matmul(a.sliced(axis: 0, 0..<3), Tensor<Float>(repeating: 2, shape: [1, 1]))
    #expect(c.shape == [3, 2, 1])
    #expect(c.elements == Array(repeatElement(row.elements.map { 2 * $0 }, count: 3).joined()))
    let heads = try randomTensor([2, 5, 12], of: Float.self, seed: 34).splitHeads(3)
    let scores = try matmul(heads, heads.transposed())
    #expect(scores.shape == [2, 3, 5, 5])
    for batch in 0..<2 {
      for head in 0..<3 {
        let matrix = heads.selected(axis: 0, batch).selected(axis: 0, head)
        let result = scores.selected(axis: 0, batch).selected(axis: 0, head).elements
        #expect(ProductOracle(matrix, matrix.transposed()).mismatch(result) == nil, "head \(head)")
      }
    }
  }

  @Test(arguments: [(1100, 70, 90), (300, 700, 1200), (1, 1500, 3000), (3, 900, 2000), (3000, 1500, 1)])
  func `several tiles on several threads give the bits of one thread`(m: Int, k: Int, n: Int) throws {
    #expect(ProductTiles(ProductSize(m: m, n: n, k: k)).count > 1, "the case must be cut")
    let a = randomTensor([m, k], of: Float.self, seed: 41)
    let b = randomTensor([n, k], of: Float.self, seed: 42).transposed()
    let alone = try matmul(a, b, maximumThreads: 1)
    for _ in 0..<3 {
      #expect(try matmul(a, b).elements == alone.elements, "[\(m), \(k)] · [\(k), \(n)]")
    }
    let mismatch = ProductOracle(a, b).mismatch(alone.elements)
    #expect(mismatch == nil, "[\(m), \(k)] · [\(k), \(n)]")
  }

  @Test func `half precision sums in Float and rounds once`() throws {
    try checkHalf(Float16.self)
    try checkHalf(BFloat16.self)
  }

  private func checkHalf<H: HalfPrecision>(_: H.Type) throws {
    let a = randomTensor([2, 17, 65], of: H.self, seed: 51)
    let b = try randomTensor([1, 9, 65], of: H.self, seed: 52).broadcast(to: [2, 9, 65]).transposed()
    let product = try H.product(a, b)
    let wide = try matmul(
      Tensor(a.elements.map { Float($0.doubleValue) }, shape: a.shape),
      Tensor(b.elements.map { Float($0.doubleValue) }, shape: b.shape))
    #expect(product.shape == [2, 17, 9])
    // Transposed or not, the two sums in Float may differ in their last bits, so the halves by one step at a tie.
    for (half, float) in zip(product.elements, wide.elements) {
      let bound = Double(float).magnitude * H.relativeStep + 65 * 0x1p-24 * 65
      #expect((half.doubleValue - Double(float)).magnitude <= bound, "\(H.self): \(half) for \(float)")
    }
  }

  @Test(arguments: View.allCases, View.allCases)
  func `halves of any strides, few rows and many`(left: View, right: View) throws {
    try checkHalfViews(Float16.self, left, right)
    try checkHalfViews(BFloat16.self, left, right)
  }

  private func checkHalfViews<H: HalfPrecision>(_: H.Type, _ left: View, _ right: View) throws {
    for (m, k, n) in [
      (1, 33, 20), (5, 7, 3), (17, 64, 65), (20, 33, 1), (66, 5, 40), (2, 1, 3), (40, 70, 9), (0, 3, 2),
      (3, 0, 2),
    ] {
      let a = try left.make(m, k, of: H.self, seed: 53)
      let b = try right.make(k, n, of: H.self, seed: 54)
      let product = try H.product(a, b)
      #expect(product.shape == [m, n])
      let mismatch = ProductOracle(a, b).mismatchOfHalves(product.elements)
      #expect(mismatch == nil, "\(H.self), \(left) [\(m), \(k)] · \(right) [\(k), \(n)]")
    }
  }

  @Test(arguments: [
    (1, 700, 900), (16, 300, 2100), (1500, 400, 3), (600, 1100, 300), (40, 20000, 33), (3, 40000, 70),
  ])
  func `halves on several threads give the bits of one thread`(m: Int, k: Int, n: Int) throws {
    try checkHalfThreads(Float16.self, m, k, n)
    try checkHalfThreads(BFloat16.self, m, k, n)
  }

  private func checkHalfThreads<H: HalfPrecision>(_: H.Type, _ m: Int, _ k: Int, _ n: Int) throws {
    let a = randomTensor([m, k], of: H.self, seed: 55)
    for b in [
      randomTensor([n, k], of: H.self, seed: 56).transposed(), randomTensor([k, n], of: H.self, seed: 56),
    ] {
      let alone = try H.product(a, b, maximumThreads: 1)
      for _ in 0..<3 {
        #expect(try H.product(a, b).elements.map(\.doubleValue) == alone.elements.map(\.doubleValue))
      }
      let mismatch = ProductOracle(a, b).mismatchOfHalves(alone.elements)
      #expect(mismatch == nil, "\(H.self), [\(m), \(k)] · [\(k), \(n)]")
    }
  }

  @Test func `batches of halves broadcast, each matrix as alone, and vectors leave their axis out`() throws {
    let a = randomTensor([2, 1, 4, 9], of: BFloat16.self, seed: 57)
    let b = randomTensor([3, 9, 6], of: BFloat16.self, seed: 58)
    let product = try matmul(a, b)
    #expect(product.shape == [2, 3, 4, 6])
    for outer in 0..<2 {
      for inner in 0..<3 {
        let alone = try matmul(a.selected(axis: 0, outer).selected(axis: 0, 0), b.selected(axis: 0, inner))
        let part = product.selected(axis: 0, outer).selected(axis: 0, inner)
        #expect(part.elements == alone.elements, "matrix \(outer), \(inner)")
      }
    }
    let x = randomTensor([18], of: Float16.self, seed: 59).sliced(axis: 0, 0..<18, by: 2)
    let matrix = randomTensor([9, 70], of: Float16.self, seed: 60)
    let row = try matmul(x, matrix)
    #expect(row.shape == [70])
    #expect(ProductOracle(x.expanded(axis: 0), matrix).mismatchOfHalves(row.elements) == nil)
    let column = try matmul(matrix.transposed(), x)
    #expect(column.shape == [70])
    #expect(ProductOracle(matrix.transposed(), x.expanded(axis: 1)).mismatchOfHalves(column.elements) == nil)
    #expect(try matmul(x, x).shape == [])
    #expect(try matmul(Tensor<Float16>.zeros([0]), Tensor<Float16>.zeros([0])).elements == [0])
  }

  @Test func `halves that overflow, and NaN and infinities, come out as such`() throws {
    let large = Tensor<Float16>(repeating: 60000, shape: [2, 3])
    #expect(
      try matmul(large, Tensor<Float16>(repeating: 1, shape: [3, 40])).elements.allSatisfy { $0 == .infinity }
    )
    for m in [2, 40] {
      var a = randomTensor([m, 50], of: BFloat16.self, seed: 61)
      let b = randomTensor([50, 45], of: BFloat16.self, seed: 62)
      let clean = try matmul(a, b).elements
      a[1, 49] = BFloat16(Float.nan)
      for (place, value) in try matmul(a, b).elements.enumerated() {
        #expect(place / 45 == 1 ? value.isNaN : value == clean[place], "\(m) rows, at \(place)")
      }
    }
  }

  @Test func `shapes that do not fit are named`() throws {
    let a = Tensor<Float>.zeros([2, 3])
    #expect(throws: AttentionError.self) { try matmul(a, a) }
    #expect(throws: AttentionError.self) { try matmul(a, Tensor<Float>.zeros([])) }
    #expect(throws: AttentionError.self) {
      try matmul(Tensor<Float>.zeros([2, 2, 3]), Tensor<Float>.zeros([3, 3, 4]))
    }
  }

  @Test(
    arguments: [
      ([1 << 31, 1], [1, 1]), ([1, 1 << 31], [1 << 31, 1]), ([1, 1], [1, 1 << 31]), ([1 << 31], [1 << 31]),
      ([(1 << 31) - 1, (1 << 31) - 1], [(1 << 31) - 1, 1]), ([1 << 62, 1, 1], [1, 1]),
    ] as [(Shape, Shape)])
  func `what BLAS or memory cannot count throws before anything is touched`(left: Shape, right: Shape) throws
  {
    let one = Tensor<Float>(repeating: 1, shape: [1])
    let (a, b) = (try one.broadcast(to: left), try one.broadcast(to: right))
    #expect(throws: AttentionError.self) { try matmul(a, b) }
    let half = Tensor<BFloat16>(repeating: 1, shape: [1])
    let (halfA, halfB) = (try half.broadcast(to: left), try half.broadcast(to: right))
    #expect(throws: AttentionError.self) { try matmul(halfA, halfB) }
  }

  @Test func `a leading dimension beyond 32 bits throws`() throws {
    let memory = Tensor<Float>(repeating: 1, shape: [2])
    let far = try memory.withUnsafePointer { base in
      try Tensor(unsafeExternal: base, shape: [2, 2], strides: [1 << 31, 1], owner: memory)
    }
    let near = Tensor<Float>(repeating: 1, shape: [2, 2])
    #expect(throws: AttentionError.self) { try matmul(far, near) }
    #expect(throws: AttentionError.self) { try matmul(near, far.transposed()) }
  }
}

/// The two overloads behind one name, for a generic test.
private protocol HalfPrecision: FloatingPointElement {
  /// Half a unit in the last place, relative.
  static var relativeStep: Double { get }
  static func product(_ a: Tensor<Self>, _ b: Tensor<Self>) throws -> Tensor<Self>
  static func product(_ a: Tensor<Self>, _ b: Tensor<Self>, maximumThreads: Int) throws -> Tensor<Self>
}

extension Float16: HalfPrecision {
  fileprivate static var relativeStep: Double { 0x1p-11 }
  fileprivate static func product(_ a: Tensor<Float16>, _ b: Tensor<Float16>) throws -> Tensor<Float16> {
    try matmul(a, b)
  }
  fileprivate static func product(
    _ a: Tensor<Float16>, _ b: Tensor<Float16>, maximumThreads: Int
  ) throws -> Tensor<Float16> {
    try matmul(a, b, maximumThreads: maximumThreads)
  }
}

extension BFloat16: HalfPrecision {
  fileprivate static var relativeStep: Double { 0x1p-8 }
  fileprivate static func product(_ a: Tensor<BFloat16>, _ b: Tensor<BFloat16>) throws -> Tensor<BFloat16> {
    try matmul(a, b)
  }
  fileprivate static func product(
    _ a: Tensor<BFloat16>, _ b: Tensor<BFloat16>, maximumThreads: Int
  ) throws -> Tensor<BFloat16> {
    try matmul(a, b, maximumThreads: maximumThreads)
  }
}

extension ProductOracle {
  /// The same for a sum in Float that is rounded once more.
  fileprivate func mismatchOfHalves<H: HalfPrecision>(_ result: [H]) -> String? {
    guard result.count == values.count else { return "\(result.count) elements, not \(values.count)" }
    for index in values.indices {
      // Steps below the normal range are the smallest number: 2⁻²⁴ of Float16.
      let bound =
        Double(2 * k + 4) * 0x1p-24 * magnitudes[index] + H.relativeStep * values[index].magnitude * 1.01
        + 0x1p-25
      let error = (result[index].doubleValue - values[index]).magnitude
      if !(error <= bound) {
        return "element \(index): \(result[index]), expected \(values[index]) within \(bound)"
      }
    }
    return nil
  }
}
