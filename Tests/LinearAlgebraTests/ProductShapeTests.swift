import LinearAlgebra
import Tensors
import Testing

@Suite struct ProductShapeTests {
  @Test(
    arguments: [
      ([2, 3], [3, 4], [], [2, 4]), ([3], [3, 4], [], [4]), ([2, 3], [3], [], [2]), ([3], [3], [], []),
      ([5, 1, 2, 3], [7, 3, 4], [5, 7], [5, 7, 2, 4]), ([3], [5, 3, 4], [5], [5, 4]),
      ([5, 2, 3], [3], [5], [5, 2]), ([0, 2, 3], [1, 3, 4], [0], [0, 2, 4]), ([2, 0], [0, 4], [], [2, 4]),
    ] as [(Shape, Shape, Shape, Shape)])
  func `shapes as NumPy has them`(a: Shape, b: Shape, batch: Shape, output: Shape) throws {
    let shape = try ProductShape(operation: "test", a: a, b: b)
    #expect(shape.batch == batch && shape.output == output, "\(a) · \(b)")
    #expect(shape.full == Shape(Array(batch) + [shape.size.m, shape.size.n]))
  }

  @Test(
    arguments: [
      ([], [3], "a"), ([3], [], "b"), ([2, 3], [2, 3], "b"), ([0, 2, 3], [2, 3, 4], "b"), ([2, 3], [4], "b"),
      ([1 << 31, 3], [3, 1], "a"), ([1, 1 << 31], [1 << 31, 1], "a"), ([1, 1], [1, 1 << 31], "b"),
    ] as [(Shape, Shape, String)])
  func `shapes that do not fit name the argument`(a: Shape, b: Shape, argument: String) {
    let error = #expect(throws: AttentionError.self) {
      try ProductShape(operation: "test", a: a, b: b)
    }
    #expect(error?.kind == .invalidArgument && error?.argument == argument, "\(a) · \(b)")
  }
}
