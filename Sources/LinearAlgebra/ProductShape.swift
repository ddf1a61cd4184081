import Tensors

/// The sizes of a product of two tensors, as NumPy's `matmul` defines them: checked, and known to fit BLAS.
package struct ProductShape {
  /// The operation and what its caller calls the right operand: the names for errors.
  let operation: String
  let nameOfB: String

  /// The sizes of each matrix product.
  package let size: ProductSize

  /// The batch axes of both operands, broadcast.
  package let batch: Shape

  /// The batch axes and then `m` and `n`; a 1-D operand leaves its axis out.
  package let output: Shape

  /// Checks two shapes against each other and against BLAS's 32-bit integers. Nothing is read.
  package init(operation: String, a: Shape, b: Shape, nameOfB: String = "b") throws(AttentionError) {
    for (argument, shape) in [("a", a), (nameOfB, b)] where shape.count == 0 {
      throw .invalidArgument(
        operation: operation, argument: argument, given: "no axes", expected: "at least one axis")
    }
    self.operation = operation
    self.nameOfB = nameOfB
    let m = a.count == 1 ? 1 : a.fromEnd(2)
    let n = b.count == 1 ? 1 : b.fromEnd(1)
    let k = a.fromEnd(1)
    let rows = b.count == 1 ? b[0] : b.fromEnd(2)
    if rows != k {
      throw .invalidArgument(
        operation: operation, argument: nameOfB, given: "\(rows) rows in shape \(b)",
        expected: "\(k), the columns of a with shape \(a)")
    }
    try checkBLASInt(m, operation: operation, argument: "a", "a row count of")
    try checkBLASInt(k, operation: operation, argument: "a", "a column count of")
    try checkBLASInt(n, operation: operation, argument: nameOfB, "a column count of")
    self.size = ProductSize(m: m, n: n, k: k)
    self.batch = try Self.broadcast(operation: operation, a: a, b: b)
    self.output = Shape(Array(batch) + (a.count == 1 ? [] : [m]) + (b.count == 1 ? [] : [n]))
  }

  /// The shape of the product with all its axes: that of ``output`` before 1-D operands leave theirs out.
  package var full: Shape { Shape(Array(batch) + [size.m, size.n]) }

  private static func broadcast(
    operation: String, a: Shape, b: Shape
  ) throws(AttentionError) -> Shape {
    let count = max(a.count, b.count, 2) - 2
    var batch = Shape(repeating: 1, count: count)
    // Distance from the end: the matrix axes are 1 and 2.
    for distance in 3..<(count + 3) {
      let left = distance <= a.count ? a.fromEnd(distance) : 1
      let right = distance <= b.count ? b.fromEnd(distance) : 1
      if left != right && left != 1 && right != 1 {
        throw .invalidArgument(
          operation: operation, argument: "b", given: "shape \(b)",
          expected: "batch axes that broadcast with those of a, whose shape is \(a)")
      }
      batch[count + 2 - distance] = left == 1 ? right : left
    }
    return batch
  }
}
