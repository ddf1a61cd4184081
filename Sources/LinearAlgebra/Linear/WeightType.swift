import CAttentionKernels

/// What a ``Linear`` stores its weight in.
///
/// | type | bytes of a weight | inputs are |
/// |---|---|---|
/// | `float32` | 4 | as they are |
/// | `float16` | 2 | as they are |
/// | `bfloat16` | 2 | rounded to bfloat16 |
/// | `int8` | 1 1/16: blocks of 32 inputs have a Float16 scale | rounded to 16 bits, blocks of 32 with a scale each |
public enum WeightType: String, Sendable, CaseIterable, CustomStringConvertible {
  /// IEEE 754 binary32.
  case float32
  /// IEEE 754 binary16.
  case float16
  /// The upper half of a binary32.
  case bfloat16
  /// Integers −127 … 127, of each output 32 inputs with a scale: their largest size divided by 127, rounded up to Float16. What
  /// GGUF's Q8_0 holds comes through exactly.
  case int8

  /// The lower-case name, `bfloat16` for instance.
  public var description: String { rawValue }

  /// Inputs are filled up with zeros to a multiple of this.
  var inputBlock: Int {
    switch self {
    case .float32, .float16: 1
    case .bfloat16: 2
    case .int8: CAttentionKernels_linear_block
    }
  }

  /// Bytes of a panel of outputs.
  func panelBytes(inputs: Int) -> Int {
    let outputs = Linear.panelOutputs
    return switch self {
    case .float32: inputs * outputs * 4
    case .float16: inputs * outputs * 2
    case .bfloat16: (inputs + 1) / 2 * outputs * 4
    case .int8: (inputs + 31) / 32 * CAttentionKernels_linear_block_bytes
    }
  }

  /// Bytes of a row of inputs as the kernels read it, without scales.
  func inputRowBytes(inputs: Int) -> Int {
    let filled = (inputs + inputBlock - 1) / inputBlock * inputBlock
    return switch self {
    case .float32, .float16: filled * 4
    case .bfloat16, .int8: filled * 2
    }
  }

  /// Scales of a row of inputs.
  func inputScales(inputs: Int) -> Int {
    switch self {
    case .float32, .float16, .bfloat16: 0
    case .int8: (inputs + 31) / 32
    }
  }
}
