extension Tensor where Element: FloatingPointElement {
  /// The sums along one axis, which disappears: `[2, 3].sum(axis: 1)` has shape `[2]`.
  ///
  /// Added up in Double, first element first, and rounded once; 0 where the axis is empty. One allocation.
  ///
  /// - Precondition: `axis` is one of the tensor's.
  public func sum(axis: Int) -> Tensor {
    reduced(axis: axis, initial: 0) { $0 + $1 }
  }

  /// The largest elements along one axis, which disappears.
  ///
  /// NaN where there is one among them; −∞ where the axis is empty, the value that is smaller than any. One allocation.
  ///
  /// - Precondition: `axis` is one of the tensor's.
  public func max(axis: Int) -> Tensor {
    // Once `largest` is NaN no comparison holds, and it stays.
    reduced(axis: axis, initial: -.infinity) { largest, value in
      value > largest || value.isNaN ? value : largest
    }
  }

  @inline(__always)
  private func reduced(axis: Int, initial: Double, _ combine: (Double, Double) -> Double) -> Tensor {
    precondition(axis >= 0 && axis < rank, "axis \(axis) of \(rank) axes")
    let others = Tensor(memory: memory, layout: layout.removed(axis: axis))
    let length = shape[axis]
    let step = strides[axis]
    return Tensor(unsafeUninitializedShape: others.shape) { buffer in
      var next = buffer.startIndex
      others.forEachRow { row, count, stride in
        for index in 0..<count {
          let first = row + index * stride
          var result = initial
          withBlocks(of: length) { block, start, blockLength in
            widenRow(from: first + start * step, stride: step, to: block, count: blockLength)
            for position in 0..<blockLength { result = combine(result, block[position]) }
          }
          buffer[next] = Element(nearest: result)
          next += 1
        }
      }
    }
  }
}
