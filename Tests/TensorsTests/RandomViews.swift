import Tensors
import TestSupport

extension Tensor {
  /// Where element `[0, 0, …]` is: equal addresses show shared storage.
  var address: UInt { withUnsafePointer { UInt(bitPattern: $0) } }
}

/// 0, 1, 2, … in a tensor of this shape.
func counting<Element: TensorElement>(_ shape: Shape, as type: Element.Type = Float.self) -> Tensor<Element> {
  let count = shape.reduce(1, *)
  return Tensor(unsafeUninitializedShape: shape) { buffer in
    for index in 0..<count { buffer[index] = Element(nearest: Double(index)) }
  }
}

/// Every index of a shape, in row-major order.
func indices(of shape: Shape) -> [[Int]] {
  shape.reduce([[]]) { prefixes, length in
    prefixes.flatMap { prefix in (0..<length).map { prefix + [$0] } }
  }
}

/// The elements of a tensor by index arithmetic alone, in row-major order.
func elementsByIndex<Element>(_ tensor: Tensor<Element>) -> [Element] {
  tensor.withUnsafePointer { base in
    indices(of: tensor.shape).map { index in base[zip(index, tensor.strides).reduce(0) { $0 + $1.0 * $1.1 }] }
  }
}

/// A small random shape.
func randomShape(rank: ClosedRange<Int>, lengths: ClosedRange<Int>, _ generator: inout SplitMix)
  -> Shape
{
  let count = Int.random(in: rank, using: &generator)
  return Shape((0..<count).map { _ in Int.random(in: lengths, using: &generator) })
}

/// A random view of a tensor: slices, selections, new and repeated axes in any order.
func randomView<Element>(_ tensor: Tensor<Element>, _ generator: inout SplitMix) throws -> Tensor<
  Element
> {
  var view = tensor
  for _ in 0..<Int.random(in: 0...4, using: &generator) {
    guard view.rank > 0 else { return view }
    let axis = Int.random(in: 0..<view.rank, using: &generator)
    switch Int.random(in: 0..<5, using: &generator) {
    case 0 where view.rank >= 2: view = view.transposed()
    case 1:
      let bounds = (0..<2).map { _ in Int.random(in: 0...view.shape[axis], using: &generator) }.sorted()
      view = view.sliced(axis: axis, bounds[0]..<bounds[1], by: Int.random(in: 1...3, using: &generator))
    case 2 where view.shape[axis] > 0:
      view = view.selected(axis: axis, Int.random(in: 0..<view.shape[axis], using: &generator))
    case 3 where view.rank < 5: view = view.expanded(axis: axis)
    case 4 where view.shape[axis] == 1:
      var target = view.shape
      target[axis] = 3
      view = try view.broadcast(to: target)
    default: break
    }
  }
  return view
}
