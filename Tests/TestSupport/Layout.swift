import Tensors

/// A tensor over the memory of another: element `[0, 0, …]` lies `start` elements after the other's, strides may be negative.
package func tensor<E>(
  over memory: Tensor<E>, from start: Int, shape: Shape, strides: Strides
) throws -> Tensor<E> {
  try memory.withUnsafePointer { base in
    // The closure keeps the memory.
    try Tensor(unsafeExternal: base + start, shape: shape, strides: strides, owner: memory)
  }
}

/// Ways to store the same elements of `[B, H, T, D]`.
package struct Layout<E: FloatingPointElement> {
  package let name: String
  package let store: (Tensor<E>) throws -> Tensor<E>

  package static var all: [Layout] {
    [
      Layout(name: "heads beside each other") {
        $0.permuted(0, 2, 1, 3).contiguousCopy().permuted(0, 2, 1, 3)
      },
      Layout(name: "columns of a wider matrix") { tensor in
        let width = tensor.shape[3]
        var wide = filler([tensor.shape[0], tensor.shape[1], tensor.shape[2], width + 5])
        try wide.withMutableView { try $0.sliced(axis: 3, 3..<3 + width).assign(from: tensor) }
        return wide.sliced(axis: 3, 3..<3 + width)
      },
      Layout(name: "transposed") { $0.transposed().contiguousCopy().transposed() },
      Layout(name: "every second row backwards") { source in
        var spread = filler([source.shape[0], source.shape[1], 2 * source.shape[2], source.shape[3]])
        let strides = spread.strides
        let start = (2 * source.shape[2] - 1) * strides[2]
        let backwards: Strides = [strides[0], strides[1], -2 * strides[2], strides[3]]
        try spread.withMutableView { view in
          try MutableTensorView(base: view.base + start, shape: source.shape, strides: backwards)
            .assign(from: source)
        }
        return try tensor(over: spread, from: start, shape: source.shape, strides: backwards)
      },
    ]
  }

  /// NaN, which shows where it is read.
  private static func filler(_ shape: Shape) -> Tensor<E> {
    Tensor(repeating: E(nearest: .nan), shape: shape)
  }
}
