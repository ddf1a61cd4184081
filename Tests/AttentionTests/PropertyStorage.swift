import Attention
import TestSupport

/// How a tensor lies in larger memory: axes in some order, each with a gap before and after, some backwards or every second index.
struct PropertyStorage {
  let count: Int
  let start: Int
  let strides: Strides

  /// Row-major without gaps where the seed is nil.
  init(_ shape: Shape, seed: UInt64?) {
    guard let seed else {
      count = shape.reduce(1, *)
      start = 0
      strides = shape.rowMajor
      return
    }
    var random = SplitMix(seed: seed)
    let rank = shape.count
    // From the outermost axis in memory to the innermost.
    var order = Array(0..<rank)
    if rank >= 3 && random.chance(50) { order.swapAt(rank - 3, rank - 2) }
    if random.chance(15) { order.swapAt(rank - 2, rank - 1) }
    var (size, start) = (1, 0)
    var strides = Strides(repeating: 0, count: rank)
    for axis in order.reversed() {
      let before = random.int(0...2)
      let step = random.chance(axis == rank - 1 ? 10 : 25) ? 2 : 1
      let isBackwards = random.chance(axis == rank - 1 ? 5 : 15)
      start += (before + (isBackwards ? step * max(0, shape[axis] - 1) : 0)) * size
      strides[axis] = (isBackwards ? -step : step) * size
      size *= before + step * shape[axis] + random.int(0...2)
    }
    self.count = size
    self.start = start
    self.strides = strides
  }

  /// The tensor's elements in this memory, all else being `filler`.
  static func store<E: TensorElement>(_ tensor: Tensor<E>, seed: UInt64?, filler: E) throws -> Tensor<E> {
    if seed == nil { return tensor }
    let place = PropertyStorage(tensor.shape, seed: seed)
    var memory = Tensor<E>(repeating: filler, shape: [place.count])
    try memory.withMutableView { try place.view($0.base, tensor.shape).assign(from: tensor) }
    return try place.tensor(over: memory, tensor.shape)
  }

  /// The tensor that lies so in memory.
  func tensor<E: TensorElement>(over memory: Tensor<E>, _ shape: Shape) throws -> Tensor<E> {
    try TestSupport.tensor(over: memory, from: start, shape: shape, strides: strides)
  }

  func view<E: TensorElement>(_ base: UnsafeMutablePointer<E>, _ shape: Shape) -> MutableTensorView<E> {
    MutableTensorView(base: base + start, shape: shape, strides: strides)
  }
}

extension Shape {
  var rowMajor: Strides {
    var strides = Strides(repeating: 1, count: count)
    for axis in (0..<Swift.max(0, count - 1)).reversed() {
      strides[axis] = strides[axis + 1] * Swift.max(1, self[axis + 1])
    }
    return strides
  }
}
