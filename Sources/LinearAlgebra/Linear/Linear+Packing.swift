import CAttentionKernels
import Parallelism
import Synchronization
import Tensors

extension Linear {
  /// Fills the panels; the only writes to them, before anyone else has the value.
  func pack(_ parts: [WeightRows], on pool: WorkerPool) throws(AttentionError) {
    let base = UnsafeMutablePointer(mutating: panels.unsafeBase)
    let (inputs, outputs, width) = (inputWidth, Self.panelOutputs, outputWidth)
    let unusable = Atomic<Bool>(false)
    pool.run((width + outputs - 1) / outputs) { panel in
      let rows = panel * outputs..<min((panel + 1) * outputs, width)
      ThreadScratch.withBytes(rows.count * inputs * MemoryLayout<Float>.stride) { bytes in
        let floats = bytes.bindMemory(to: Float.self)
        guard let numbers = floats.baseAddress else { return }
        Self.read(parts, rows, inputs: inputs, into: numbers)
        let target = base + panel * panelBytes
        if !type.pack(target, numbers, outputs: rows.count, inputs: inputs) {
          unusable.store(true, ordering: .relaxed)
        }
      }
    }
    withExtendedLifetime(panels) {}
    if unusable.load(ordering: .relaxed) {
      throw AttentionError(
        "weight", "NaN, infinity or a number above 8e6 given, expected what \(type) can hold")
    }
  }

  /// Rows of all parts together.
  private static func read(
    _ parts: [WeightRows], _ rows: Range<Int>, inputs: Int, into target: UnsafeMutablePointer<Float>
  ) {
    var first = 0
    for part in parts {
      let own = rows.clamped(to: first..<first + part.count)
      if !own.isEmpty {
        part.read(
          own.lowerBound - first..<own.upperBound - first,
          target + (own.lowerBound - rows.lowerBound) * inputs)
      }
      first += part.count
    }
  }

  /// Row `output` of the weight as Floats: the numbers that are stored.
  ///
  /// - Precondition: `output` is below ``outputWidth``.
  package func readRow(_ output: Int, into target: UnsafeMutablePointer<Float>) {
    precondition(output >= 0 && output < outputWidth, "row \(output) of \(outputWidth)")
    let (panel, lane) = output.quotientAndRemainder(dividingBy: Self.panelOutputs)
    let outputs = Self.panelOutputs
    panels.withUnsafePointer { base in
      let panel = UnsafeRawPointer(base + panel * panelBytes)
      switch type {
      case .float32:
        let words = panel.assumingMemoryBound(to: Float.self) + lane
        for k in 0..<inputWidth { target[k] = words[k * outputs] }
      case .float16:
        let words = panel.assumingMemoryBound(to: Float16.self) + lane
        for k in 0..<inputWidth { target[k] = Float(words[k * outputs]) }
      case .bfloat16:
        let words = panel.assumingMemoryBound(to: BFloat16.self) + 2 * lane
        for k in 0..<inputWidth { target[k] = Float(words[k / 2 * 2 * outputs + k % 2]) }
      case .int8:
        let block = type.inputBlock
        for first in stride(from: 0, to: inputWidth, by: block) {
          let base = panel + first / block * CAttentionKernels_linear_block_bytes
          let scale = Float(base.assumingMemoryBound(to: Float16.self)[lane])
          let pairs = (base + 2 * outputs).assumingMemoryBound(to: Int8.self) + 2 * lane
          for k in 0..<min(block, inputWidth - first) {
            target[first + k] = Float(pairs[k / 2 * 2 * outputs + k % 2]) * scale
          }
        }
      }
    }
  }
}

extension WeightType {
  /// Fills a panel; false where a number is not finite and had to be.
  fileprivate func pack(
    _ panel: UnsafeMutableRawPointer, _ rows: UnsafePointer<Float>, outputs: Int, inputs: Int
  ) -> Bool {
    let kernels = Linear.kernels.pointee
    switch self {
    case .float32: kernels.pack_linear_f32(panel, rows, inputs, outputs, inputs)
    case .float16: kernels.pack_linear_f16(panel, rows, inputs, outputs, inputs)
    case .bfloat16: kernels.pack_linear_bf16(panel, rows, inputs, outputs, inputs)
    case .int8: return kernels.pack_linear_i8(panel, rows, inputs, outputs, inputs) != 0
    }
    return true
  }
}
