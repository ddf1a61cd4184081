import CAttentionKernels
import Parallelism
import Tensors

extension Tensor where Element == Float {
  /// The index of the largest element along the last axis, the first of several; NaN is never the largest.
  ///
  /// - Returns: `[…]`, the last axis left out.
  /// - Throws: `AttentionError` where the last axis is missing or empty.
  public func argmax() throws(AttentionError) -> Tensor<Int64> {
    guard let width = shape.last, width > 0 else {
      throw AttentionError("argmax()", "shape \(shape) given, expected a last axis of at least 1")
    }
    let source = contiguous()
    return Tensor<Int64>(unsafeUninitializedShape: Shape(Array(shape.dropLast()))) { target in
      source.withUnsafePointer { rows in
        for row in target.indices {
          target.initializeElement(
            at: row, to: Int64(Linear.kernels.pointee.argmax(rows + row * width, width)))
        }
      }
    }
  }
}

extension Tensor {
  /// Rows by their indices along the first axis, in a new tensor: the embedding of tokens.
  ///
  ///     result[i, …] = self[indices[i], …]
  ///
  /// - Throws: `AttentionError` where an index is out of range, or there is no axis.
  public func gathered(_ indices: [Int]) throws(AttentionError) -> Tensor {
    guard let rows = shape.first else {
      throw AttentionError("gathered(_:)", "a tensor without axes given, expected at least one")
    }
    for index in indices where !(0..<rows).contains(index) {
      throw AttentionError("indices", "\(index) given, expected 0..<\(rows)")
    }
    let source = contiguous()
    let width = source.shape.dropFirst().reduce(1, *)
    return Tensor(unsafeUninitializedShape: Shape([indices.count] + Array(shape.dropFirst()))) { target in
      guard var next = target.baseAddress else { return }
      source.withUnsafePointer { base in
        for index in indices {
          next.initialize(from: base + index * width, count: width)
          next += width
        }
      }
    }
  }
}

/// `target[i] += source[i]`, for the package's own layers.
package func add(
  _ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>, count: Int
) {
  Linear.kernels.pointee.f32.scale_and_add(target, count, 1, source, 1)
}

/// `cap · tanh(x / cap)` of every number of a tensor that nobody else holds, in place.
package func softcapped(_ x: consuming Tensor<Float>, cap: Double, on pool: WorkerPool) -> Tensor<Float> {
  var result = x
  let count = result.count
  result.withMutableView { view in
    // Some microseconds a task.
    let length = 1 << 13
    pool.run((count + length - 1) / length) { task in
      _ = Linear.kernels.pointee.f32.softcap(
        view.base + task * length, min(length, count - task * length), cap)
    }
  }
  return result
}

/// The first index of the largest of some numbers.
package func indexOfLargest(_ row: UnsafePointer<Float>, count: Int) -> Int {
  Linear.kernels.pointee.argmax(row, count)
}
