import Attention
import Parallelism

extension AttentionCase {
  /// What ``results(on:)`` allocates. The past is joined with what comes after it already.
  ///
  /// - Throws: what the call would throw.
  func needs(on pool: WorkerPool) throws(AttentionError) -> [MemoryNeed] {
    let scratch = try attention(on: pool).scratchBytes(operands.queries, operands.keyValues)
    let (element, accumulator) = (MemoryLayout<Element>.stride, MemoryLayout<Element.Accumulator>.stride)
    var needs = [
      MemoryNeed("--threads", "scratch of all threads", [scratch], bytesPerElement: 1),
      MemoryNeed(
        "Q and V", "Y of shape", operands.outputShape, bytesPerElement: isMerged ? 2 * element : element),
      MemoryNeed("Q", "lse of shape", Shape(operands.outputShape.dropLast()), bytesPerElement: accumulator),
    ]
    if scoreStage != nil {
      needs.append(
        MemoryNeed(
          "qk_matmul_output_mode", "qk_matmul_output of shape", operands.scoreShape,
          bytesPerElement: accumulator + element))
    }
    return needs
  }
}
