#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

extension Tensor {
  /// `transform` of every element, in fresh row-major memory.
  ///
  ///     let rectified = scores.mapped { max($0, 0) }
  ///
  /// One allocation; visits the elements in row-major order.
  @inlinable
  public func mapped<Failure: Error>(
    _ transform: (Element) throws(Failure) -> Element
  ) throws(Failure) -> Tensor {
    var result = contiguousCopy()
    try result.withMutableView { view throws(Failure) in
      for index in 0..<count { view.base[index] = try transform(view.base[index]) }
    }
    return result
  }
}

extension Tensor where Element: FloatingPointElement {
  /// eˣ of every element, computed in Double and rounded once. One allocation.
  public func exp() -> Tensor {
    mappedInDouble { block, count in
      for index in 0..<count { block[index] = exponential(block[index]) }
    }
  }

  /// The hyperbolic tangent of every element, computed in Double and rounded once. One allocation.
  public func tanh() -> Tensor {
    mappedInDouble { block, count in
      for index in 0..<count { block[index] = hyperbolicTangent(block[index]) }
    }
  }

  /// Widens the elements block by block, lets `transform` change the block, and rounds it back.
  private func mappedInDouble(_ transform: (UnsafeMutablePointer<Double>, Int) -> Void) -> Tensor {
    Tensor(unsafeUninitializedShape: shape) { buffer in
      guard var next = buffer.baseAddress else { return }
      forEachRow { row, count, stride in
        withBlocks(of: count) { block, start, length in
          widenRow(from: row + start * stride, stride: stride, to: block, count: length)
          transform(block, length)
          narrowRow(from: block, to: next + start, count: length)
        }
        next += count
      }
    }
  }
}

// The C library's functions under names that the methods do not hide.

/// eˣ in Double.
func exponential(_ value: Double) -> Double { exp(value) }

/// eˣ in Float.
func exponential(_ value: Float) -> Float { expf(value) }

private func hyperbolicTangent(_ value: Double) -> Double { tanh(value) }
