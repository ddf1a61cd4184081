import CAttentionKernels
import Parallelism
import Tensors

/// A linear map of rows whose weight keeps its storage type: `y = x·Wᵀ + b`, what a model's layers are made of.
///
///     output[r, o] = Σ_i input[r, i] · weight[o, i] + bias[o]
///
///     let gate = try Linear(weight: w, as: .bfloat16)            // w [outputs, inputs], as PyTorch's nn.Linear has it
///     let y = try gate(x)                                        // x [..., inputs] → [..., outputs]
///
/// The weight is reordered once, into panels of 64 outputs in which the weights of one input are neighbours, and never widened: few rows
/// read it at the speed of memory, many rows share what they read from the cache. Sums are in Float, in the order of the inputs: a row
/// gives the same bits alone and among others, and on any number of threads. What ``WeightType`` says of inputs happens to a copy.
public struct Linear: Sendable {
  /// The width of the rows that it takes.
  public let inputWidth: Int

  /// The width of the rows that it makes.
  public let outputWidth: Int

  /// How the weight is stored.
  public let type: WeightType

  /// `[outputWidth]`, added to each row; nil for none.
  public let bias: Tensor<Float>?

  /// `[panels, bytes of a panel]`
  let panels: Tensor<UInt8>

  static var panelOutputs: Int { CAttentionKernels_linear_outputs }
  static var kernels: UnsafePointer<CAttentionKernels> { CAttentionKernels_active() }

  /// The bytes of the weight as it is stored, rounded up to whole panels.
  public var byteCount: Int { panels.count }

  var panelBytes: Int { type.panelBytes(inputs: inputWidth) }

  /// A map with this weight, reordered and rounded to nearest even; one copy.
  ///
  /// - Parameters:
  ///   - weight: `[outputs, inputs]`, any strides.
  ///   - bias: `[outputs]`.
  ///   - type: what the copy is stored in; the weight's own type where it is one of these and nothing else is said.
  /// - Throws: `AttentionError` where the weight is no matrix, the bias does not fit it, or a number that goes to integers is not finite.
  public init<Element: FloatingPointElement>(
    weight: Tensor<Element>, bias: Tensor<Float>? = nil, as type: WeightType? = nil
  ) throws(AttentionError) {
    guard weight.rank == 2 else {
      throw AttentionError("weight", "shape \(weight.shape) given, expected [outputs, inputs]")
    }
    let natural: WeightType =
      switch Element.elementType {
      case .float16: .float16
      case .bfloat16: .bfloat16
      case .float64, .float32, .int64, .int32, .int8, .uint8, .bool: .float32
      }
    let rows = WeightRows(count: weight.shape[0]) { range, target in
      weight.sliced(axis: 0, range).converted(to: Float.self).contiguous().withUnsafePointer {
        target.update(from: $0, count: range.count * weight.shape[1])
      }
    }
    try self.init([rows], inputs: weight.shape[1], bias: bias, as: type ?? natural)
  }

  /// A map whose weight is read in parts, a panel of rows at a time, from several threads: of a file, say, or of several matrices
  /// that are to be one.
  ///
  /// - Parameters:
  ///   - parts: the outputs' rows, one part after the other.
  ///   - inputs: the width of a row.
  package init(
    _ parts: [WeightRows], inputs: Int, bias: Tensor<Float>? = nil, as type: WeightType,
    on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    let outputs = parts.reduce(0) { $0 + $1.count }
    if let bias, bias.shape != [outputs] {
      throw AttentionError("bias", "shape \(bias.shape) given, expected [\(outputs)]")
    }
    self.inputWidth = inputs
    self.outputWidth = outputs
    self.type = type
    self.bias = bias?.contiguous()
    // The bytes of a panel then fit an Int, whatever the type.
    guard inputs < Int.max / 1024 else {
      throw AttentionError(
        .outOfMemory, "weight", "no memory for a weight [\(outputs), \(inputs)] of \(type)")
    }
    let panelCount = (outputs + Self.panelOutputs - 1) / Self.panelOutputs
    let bytes = panelCount.multipliedReportingOverflow(by: type.panelBytes(inputs: inputs))
    guard !bytes.overflow, let memory = Tensor<UInt8>.uninitialized([bytes.partialValue]) else {
      throw AttentionError(
        .outOfMemory, "weight", "no memory for a weight [\(outputs), \(inputs)] of \(type)")
    }
    panels = memory
    try pack(parts, on: pool)
  }
}

/// Rows of a weight on their way into a ``Linear``.
package struct WeightRows: Sendable {
  package let count: Int
  /// Writes some rows as Floats, one after the other. Called from several threads.
  package let read: @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void

  package init(count: Int, read: @escaping @Sendable (Range<Int>, UnsafeMutablePointer<Float>) -> Void) {
    self.count = count
    self.read = read
  }
}
