import Attention
import TestSupport

/// Rows of a tensor as integers with scales, by the definition and not by the library's kernels.
///
/// A row that holds what is no number, which no query sees, gets NaN as its scale.
struct PropertyQuantization<E: AttentionElement> {
  private let shape: Shape
  private var integers: [Int8] = []
  private var scales: [Float] = []

  init(_ tensor: Tensor<E>) {
    shape = tensor.shape
    let columns = max(1, shape.last ?? 1)
    let elements = tensor.elements.map { Float($0.doubleValue) }
    for start in stride(from: 0, to: elements.count, by: columns) {
      let row = elements[start..<start + columns]
      let isFinite = row.allSatisfy(\.isFinite)
      let scale = isFinite ? row.map(\.magnitude).max()! / 127 : .nan
      scales.append(scale)
      integers += row.map { isFinite && scale > 0 ? Int8(($0 / scale).rounded(.toNearestOrEven)) : 1 }
      if scale == 0 {
        integers.replaceSubrange(integers.count - columns..<integers.count, with: row.map { _ in 0 })
      }
    }
  }

  /// What the integers stand for.
  var numbers: Tensor<E> {
    let columns = max(1, shape.last ?? 1)
    let elements = integers.enumerated().map { E(nearest: Double($1) * Double(scales[$0 / columns])) }
    return try! Tensor(elements, shape: shape)
  }

  /// The tensor that attention takes: where `other` is strided, so are the integers, and scales stand apart.
  func stored(like other: Tensor<E>) -> QuantizedTensor {
    let seed: UInt64? = other.isContiguous ? nil : UInt64(shape.reduce(7) { $0 &* 31 &+ $1 })
    return QuantizedTensor(
      integers: try! PropertyStorage.store(Tensor(integers, shape: shape), seed: seed, filler: 77),
      scales: try! PropertyStorage.store(
        Tensor(scales, shape: Shape(shape.dropLast())), seed: seed, filler: .nan))
  }
}
