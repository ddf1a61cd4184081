import Attention
import BenchmarkKit
import Foundation
import TensorFiles

/// The tensors of one shape.
struct BenchInputs<E: BenchElement> {
  let shape: BenchmarkShape
  let queries: Tensor<E>
  let keys: Tensor<E>
  let values: Tensor<E>
  /// The right output as somebody else computed it, where that is known.
  var expected: Tensor<Float>?

  /// Whether queries, keys and values have mean 0 and variance 1, which the tightest tolerance assumes.
  var hasUnitVariance: Bool { expected == nil }

  /// The shape's mask as the operator takes it.
  var mask: AttentionMask {
    switch shape.mask {
    case .none: .none
    case .lengths: .keyLengths(shape.keyLengths ?? [])
    case .causal: shape.leftWindowSize.map { .causal & .window(left: $0) } ?? .causal
    }
  }

  /// The shape's mask as the reference takes it, for one sequence; nil where everything is visible.
  func isVisible(sequence: Int) -> ((_ sequence: Int, _ head: Int, _ query: Int, _ key: Int) -> Bool)? {
    if shape.mask == .none { return nil }
    let ranges = (0..<shape.queries).map { shape.visibleKeys(sequence: sequence, query: $0) }
    return { _, _, query, key in ranges[query].contains(key) }
  }
}

// MARK: - Random

extension BenchInputs {
  /// Normally distributed numbers of mean 0 and variance 1, the same ones for the same seed.
  init(random shape: BenchmarkShape, seed: UInt64) {
    self.shape = shape
    queries = randomTensor([shape.batch, shape.queryHeads, shape.queries, shape.headDim], seed: seed &* 3)
    keys = randomTensor([shape.batch, shape.keyValueHeads, shape.keys, shape.headDim], seed: seed &* 3 &+ 1)
    values = randomTensor(
      [shape.batch, shape.keyValueHeads, shape.keys, shape.valueDim], seed: seed &* 3 &+ 2)
  }
}

/// A prime, so that rows of any length shorter than it start at ever new places of the table: as many rows differ.
private let tableCount = 262_147

/// One table of random numbers after another until the tensor is full: a copy is several times as fast as drawing 67
/// million numbers, and a kernel cannot tell.
private func randomTensor<E: BenchElement>(_ shape: Shape, seed: UInt64) -> Tensor<E> {
  let table = Tensor<E>.normal([tableCount], seed: seed)
  return Tensor(unsafeUninitializedShape: shape) { target in
    table.withUnsafePointer { source in
      var start = 0
      while start < target.count {
        let count = min(tableCount, target.count - start)
        _ = UnsafeMutableBufferPointer(rebasing: target[start..<start + count])
          .initialize(fromContentsOf: UnsafeBufferPointer(start: source, count: count))
        start += count
      }
    }
  }
}

// MARK: - Real

extension BenchInputs {
  /// Queries, keys and values `Q`, `K`, `V` of a file, and its `expected.Y`.
  ///
  /// - Throws: where the file cannot be read or lacks one of them.
  init(_ shape: BenchmarkShape, file: SafetensorsFile) throws {
    self.shape = shape
    queries = try file.tensor("Q", as: Float.self).converted(to: E.self)
    keys = try file.tensor("K", as: Float.self).converted(to: E.self)
    values = try file.tensor("V", as: Float.self).converted(to: E.self)
    expected = try file.tensor("expected.Y", as: Float.self)
  }
}
