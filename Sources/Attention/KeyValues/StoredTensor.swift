/// A tensor of keys or of values in whatever it is stored: what ``KeyValueTensor`` hands to attention.
public struct StoredTensor: Sendable {
  /// Numbers, or the integers of quantised rows.
  package let elements: AnyTensor
  /// Of quantised rows.
  private let rowScales: RowScaleTensor?

  init(numbers: AnyTensor) {
    elements = numbers
    rowScales = nil
  }

  init(integers: Tensor<Int8>, scales: Tensor<Float>) {
    elements = AnyTensor(integers)
    rowScales = RowScaleTensor(scales)
  }

  /// Of quantised rows, a scale each: the shape of the elements without their last axis.
  package var scales: Tensor<Float>? { rowScales?.tensor }

  var shape: Shape { elements.shape }

  var type: RowStorage { rowScales == nil ? .numbers(StorageType(of: elements)) : .int8 }

  /// Throws where scales are not one a row.
  func check(_ given: GivenArgument) throws(AttentionError) {
    guard let scales else { return }
    guard scales.shape == Shape(shape.dropLast()) else {
      throw AttentionError(
        given.name, "scales of shape \(scales.shape) given, expected one a row of \(shape)")
    }
  }
}

extension StoredTensor: KeyValueTensor {
  /// Itself.
  public var stored: StoredTensor { self }
}

/// A class, so that rows of numbers carry no second tensor through each call: short ones take a tenth less time for it.
private final class RowScaleTensor: Sendable {
  let tensor: Tensor<Float>

  init(_ tensor: Tensor<Float>) { self.tensor = tensor }
}

/// A tensor that attention takes as keys or as values: a ``Tensor`` of numbers, or a ``QuantizedTensor``.
public protocol KeyValueTensor: Sendable {
  /// The tensor in the form that attention takes.
  var stored: StoredTensor { get }
}

extension Tensor: KeyValueTensor where Element: AttentionElement {
  /// The tensor's numbers.
  public var stored: StoredTensor { StoredTensor(numbers: AnyTensor(self)) }
}
