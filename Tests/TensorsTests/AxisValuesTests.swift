import Tensors
import Testing

@Suite struct AxisValuesTests {
  @Test func isACollection() {
    var shape: Shape = [2, 12, 128, 64]
    #expect(Array(shape) == [2, 12, 128, 64] && shape.count == 4)
    #expect(shape.fromEnd(1) == 64 && shape.fromEnd(4) == 2)
    shape[1] = 3
    #expect(shape == [2, 3, 128, 64] && shape != [2, 3, 128] && shape != [2, 3, 128, 65])
    #expect(shape.description == "[2, 3, 128, 64]" && Shape([]).description == "[]")
    #expect(shape.hashValue == Shape([2, 3, 128, 64]).hashValue)
    #expect(Shape(repeating: 7, count: 2) == [7, 7])
  }

  @Test(
    arguments: [
      ([], 1), ([0], 0), ([3, 0, 2], 0), ([2, 3], 6), ([-1], nil), ([0, -1], nil), ([Int.max, 2], nil),
      ([Int.max, 1], Int.max), ([1 << 32, 1 << 31], nil), ([1 << 40, 1 << 40, 0], nil),
    ] as [([Int], Int?)])
  func checkedElementCount(lengths: [Int], expected: Int?) {
    #expect(Shape(lengths).checkedElementCount == expected, "\(lengths)")
  }

  @Test func rowMajorStrides() {
    #expect(Shape([2, 3, 4]).rowMajorStrides == [12, 4, 1])
    #expect(Shape([2, 0, 4]).rowMajorStrides == [4, 4, 1])
    #expect(Shape([]).rowMajorStrides == [])
  }
}
