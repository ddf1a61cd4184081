import CAttentionKernels
import Parallelism

/// Rows of 8-bit integers with a scale each: `x̂[…, c] = scales[…] · integers[…, c]`, symmetric, without a zero point.
///
///     let keys = try QuantizedTensor(quantizing: k)                          // k [B, Hkv, Tk, D]
///     let keys = QuantizedTensor(integers: integers, scales: scales)         // another engine's; no copy
///     let y = try attend(q, KeyValues(keys: keys, values: values))
///
/// Attention over it is attention over the `x̂`. Decode multiplies the stored integers with queries that are rounded to 16 bits; prefill
/// brings a tile at a time to Float, or to bfloat16 under bfloat16 queries.
public struct QuantizedTensor: KeyValueTensor {
  /// The integers: any shape whose last axis holds the columns of a row, in any strides.
  public let integers: Tensor<Int8>

  /// A scale a row: the shape of the integers without its last axis, in any strides.
  public let scales: Tensor<Float>

  /// Integers and scales where they lie; nothing is copied. Scales that do not fit are refused by the call that this is given to.
  public init(integers: Tensor<Int8>, scales: Tensor<Float>) {
    self.integers = integers
    self.scales = scales
  }

  /// The rows of a tensor, rounded: `scale = max|x| / 127` of each row, `integer = x / scale` to the nearest, ties to even; both 0 for a row
  /// of zeros. A component is off by at most half a scale, 1/254 of the row's largest.
  ///
  /// - Parameter tensor: any shape with an axis of columns, in any strides. Numbers are rounded to Float first.
  /// - Throws: ``AttentionError`` where a row holds NaN or infinity, the shape has no axis, or there is no memory for the result.
  public init(quantizing tensor: Tensor<some AttentionElement>) throws(AttentionError) {
    let shape = tensor.shape
    guard let columns = shape.last, columns > 0 else {
      throw AttentionError("tensor", "shape \(shape) given, expected a last axis of columns")
    }
    let kernels: KernelTable = CAttentionKernels_active()
    let load = RowKernels<Float>(kernels).load(StorageType(of: AnyTensor(tensor)))
    var integers: Tensor<Int8> = try allocated(shape, for: "tensor", shape)
    var scales: Tensor<Float> = try allocated(Shape(shape.dropLast()), for: "tensor", shape)
    var areFinite = true
    // Beside an axis of 0, rows that do not exist may be of any width.
    let capacity = tensor.count == 0 ? 0 : columns
    let done: Void? = integers.withMutableView { integers in
      scales.withMutableView { scales in
        ThreadScratch.withBytesIfAvailable(capacity * MemoryLayout<Float>.stride) { memory in
          guard let floats = memory.baseAddress?.assumingMemoryBound(to: Float.self) else { return }
          var row = 0
          tensor.forEachRow { source, count, stride in
            load(floats, source, stride, count, 1)
            let scale = kernels.pointee.quantize_i8(integers.base + row * columns, floats, columns)
            scales.base[row] = scale
            areFinite = areFinite && scale.isFinite
            row += 1
          }
        }
      }
    }
    guard done != nil else {
      throw AttentionError(
        .outOfMemory, "tensor",
        "rows of \(columns) numbers given, for one of which this machine has no memory")
    }
    guard areFinite else {
      throw AttentionError("tensor", "NaN or infinity given, expected finite numbers in rows to quantise")
    }
    self.init(integers: integers, scales: scales)
  }

  /// The integers and their scales.
  public var stored: StoredTensor { StoredTensor(integers: integers, scales: scales) }
}
