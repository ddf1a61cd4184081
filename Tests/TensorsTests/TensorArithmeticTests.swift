import Tensors
import TestSupport
import Testing

@Suite struct TensorArithmeticTests {
  @Test func elementByElement() throws {
    let a = try Tensor<Float>([1, 2, 3, 4], shape: [2, 2])
    let b = try Tensor<Float>([10, 20, 30, 0], shape: [2, 2])
    #expect(try (a + b).elements == [11, 22, 33, 4])
    #expect(try (a - b).elements == [-9, -18, -27, 4])
    #expect(try (a * b).elements == [10, 40, 90, 0])
    #expect(try (a / b).elements == [0.1, 0.1, 0.1, .infinity])
  }

  @Test func withANumber() throws {
    let a = try Tensor<Double>([1, 2, 4], shape: [3])
    #expect((a + 1).elements == [2, 3, 5] && (1 + a).elements == [2, 3, 5])
    #expect((a - 1).elements == [0, 1, 3] && (1 - a).elements == [0, -1, -3])
    #expect((a * 3).elements == [3, 6, 12] && (3 * a).elements == [3, 6, 12])
    #expect((a / 2).elements == [0.5, 1, 2] && (8 / a).elements == [8, 4, 2])
    #expect((Tensor<Float>.zeros([0, 2]) + 1).isEmpty)
    #expect((Tensor<Float>.zeros([]) + 1)[] == 1)
  }

  @Test func shapesBroadcast() throws {
    #expect(try (counting([2, 3]) + counting([3])).elements == [0, 2, 4, 3, 5, 7])
    #expect(try (counting([2, 3]) + counting([2, 1])).elements == [0, 1, 2, 4, 5, 6])
    #expect(try (counting([2, 1]) + counting([1, 3])).elements == [0, 1, 2, 1, 2, 3])
    #expect(try (counting([3]) + counting([2, 1, 1])).shape == [2, 1, 3])
    #expect(try (counting([2, 3]) + counting([])).elements == counting([2, 3]).elements)
    #expect(try (counting([0, 3]) + counting([1, 3])).shape == [0, 3])
  }

  @Test func shapesThatDoNotFitAreRefused() {
    #expect(throws: AttentionError("+", "shapes [2, 3] and [2] do not broadcast to a common one")) {
      try counting([2, 3]) + counting([2])
    }
    #expect(throws: AttentionError("-", "shapes [0] and [2] do not broadcast to a common one")) {
      try counting([0]) - counting([2])
    }
    #expect(throws: AttentionError("*", "shapes [2] and [3] do not broadcast to a common one")) {
      try counting([2]) * counting([3])
    }
    #expect(throws: AttentionError("/", "shapes [2] and [3] do not broadcast to a common one")) {
      try counting([2]) / counting([3])
    }
  }

  /// Each result is the exact one, rounded once: Double holds sums and products of halves exactly enough for that.
  @Test func sixteenBitTypesRoundOnce() throws {
    func check<Element: FloatingPointElement>(_ type: Element.Type) throws {
      // Longer than a block, and strided.
      let a = Tensor<Element>.normal([2, 700], seed: 1)
      let b = Tensor<Element>.normal([700, 2], seed: 2).transposed()
      let (left, right) = (elementsByIndex(a), elementsByIndex(b))
      func expected(_ operation: (Double, Double) -> Double) -> [Element] {
        zip(left, right).map { Element(nearest: operation($0.doubleValue, $1.doubleValue)) }
      }
      #expect(try (a + b).elements == expected(+), "\(type)")
      #expect(try (a - b).elements == expected(-), "\(type)")
      #expect(try (a * b).elements == expected(*), "\(type)")
      #expect(try (a / b).elements == expected(/), "\(type)")
    }
    try check(Float16.self)
    try check(BFloat16.self)
    try check(Float.self)
    try check(Double.self)
  }

  @Test(arguments: 0..<60)
  func viewsCombineByIndex(seed: Int) throws {
    var generator = SplitMix(seed: UInt64(seed))
    let shape = randomShape(rank: 1...4, lengths: 0...4, &generator)
    let a = try randomView(counting(shape), &generator)
    // The same shape with the axes in memory the other way round.
    let reversed = Tensor<Float>.normal(Shape(a.shape.reversed()), seed: UInt64(seed))
    let b =
      switch a.rank {
      case 2: reversed.transposed()
      case 3: reversed.permuted(2, 1, 0)
      case 4: reversed.permuted(3, 2, 1, 0)
      case 5: reversed.permuted(4, 3, 2, 1, 0)
      default: reversed
      }
    #expect(b.shape == a.shape)
    let sum = try (a + b).elements
    #expect(sum == zip(elementsByIndex(a), elementsByIndex(b)).map { $0 + $1 }, "seed \(seed)")
  }
}
