import CAttentionKernels
import Parallelism
import Tensors

/// Rows of inputs in the form in which the kernels of a weight type read them, in memory of the caller.
package struct LinearInputs {
  package let type: WeightType
  package let width: Int
  package let rows: Int
  let base: UnsafeMutableRawPointer
  /// Bytes from row to row.
  let stride: Int
  let scales: UnsafeMutablePointer<Float>?
  let scalesPerRow: Int

  /// - Parameter memory: ``byteCount(_:width:rows:)`` bytes, aligned to 64.
  package init(_ type: WeightType, width: Int, rows: Int, in memory: UnsafeMutableRawPointer) {
    self.type = type
    self.width = width
    self.rows = rows
    base = memory
    stride = Self.rowBytes(type, width)
    scalesPerRow = type.inputScales(inputs: width)
    scales =
      scalesPerRow == 0
      ? nil : (memory + rows * stride).bindMemory(to: Float.self, capacity: rows * scalesPerRow)
  }

  /// What ``init(_:width:rows:in:)`` asks for.
  package static func byteCount(_ type: WeightType, width: Int, rows: Int) -> Int {
    rows * (rowBytes(type, width) + type.inputScales(inputs: width) * MemoryLayout<Float>.stride)
  }

  /// Whole cache lines, so that two threads never write to one line.
  private static func rowBytes(_ type: WeightType, _ width: Int) -> Int {
    (type.inputRowBytes(inputs: width) + 63) / 64 * 64
  }

  /// Converts a row. An Int8 weight cannot take NaN and infinities: such a row's scales become NaN, and so do its outputs.
  package func set(row: Int, to numbers: UnsafePointer<Float>) {
    let target = base + row * stride
    let kernels = Linear.kernels.pointee
    switch type {
    case .float32, .float16:
      target.copyMemory(from: numbers, byteCount: width * MemoryLayout<Float>.stride)
    case .bfloat16: kernels.linear_inputs_bf16(target, numbers, width)
    case .int8:
      // A row of nothing has no scales.
      guard let scales else { return }
      let own = scales + row * scalesPerRow
      if kernels.linear_inputs_i16(target, own, numbers, width) == 0 {
        target.initializeMemory(as: UInt8.self, repeating: 0, count: stride)
        own.update(repeating: .nan, count: scalesPerRow)
      }
    }
  }

  /// The same of a row of bfloat16 numbers: a copy for bfloat16 weights.
  package func set(row: Int, to numbers: UnsafePointer<BFloat16>) {
    let target = base + row * stride
    let kernels = Linear.kernels.pointee.f32
    switch type {
    case .float32, .float16: kernels.load_from_bf16(target, numbers, 1, width, 1)
    case .bfloat16:
      target.copyMemory(from: numbers, byteCount: width * MemoryLayout<BFloat16>.stride)
      if !width.isMultiple(of: 2) { target.storeBytes(of: 0, toByteOffset: 2 * width, as: UInt16.self) }
    case .int8:
      ThreadScratch.withBytes(width * MemoryLayout<Float>.stride) { bytes in
        guard let floats = bytes.bindMemory(to: Float.self).baseAddress else { return }
        kernels.load_from_bf16(floats, numbers, 1, width, 1)
        set(row: row, to: UnsafePointer(floats))
      }
    }
  }
}
