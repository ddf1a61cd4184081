import LinearAlgebra
import Testing

@Suite struct MatrixBatchTests {
  @Test(
    arguments: [
      // rows, columns, row stride, column stride; leading dimension (nil: BLAS cannot say it), transposed
      (3, 4, 4, 1, 4, false), (3, 4, 9, 1, 9, false), (3, 4, 1, 3, 3, true), (3, 4, 1, 8, 8, true),
      (1, 4, 0, 1, 4, false), (1, 4, -7, 2, 2, true), (3, 1, 2, 0, 2, false), (3, 1, 1, 5, 1, false),
      (1, 1, 0, 0, 1, false), (0, 4, 0, 0, 4, false), (3, 0, 0, 0, 1, false),
      (3, 4, 8, 2, nil, false), (3, 4, -4, 1, nil, false), (3, 4, 0, 1, nil, false), (3, 4, 1, 0, nil, false),
      (3, 4, 3, 1, nil, false), (3, 4, 1, 2, nil, false), (3, 1, -1, 1, nil, false),
      (1, 4, 4, -1, nil, false),
    ] as [(Int, Int, Int, Int, Int?, Bool)])
  func `what BLAS can read in place`(
    rows: Int, columns: Int, rowStride: Int, columnStride: Int, leading: Int?, isTransposed: Bool
  ) {
    let layout = MatrixLayout(
      rows: rows, columns: columns, rowStride: rowStride, columnStride: columnStride)
    #expect(layout?.leadingDimension == leading)
    #expect(layout == nil || layout?.isTransposed == isTransposed)
  }
}
