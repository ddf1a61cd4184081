/// Which kernel computes a sequence, and why.
///
/// By the sequence's own sizes, the element type, the rules on scores and the CPU, and by nothing else in the batch: each kernel rounds
/// in its own way, and a sequence gives the same bits alone as beside others. Nor do strides and sources count.
struct KernelRule {
  let kernel: AttentionPlan.Kernel
  let reason: String

  /// Rows up to which a stream of keys and values is limited by memory and not by arithmetic: 8 rows do 4 multiply-adds for each byte
  /// of a Float32 key, about what two vector units do while memory delivers it.
  static let mostStreamedRows = 8
  /// Beyond this width a panel's queries, outputs and tiles no longer fit the second-level cache beside each other.
  static let widestFused = 512
  /// With fewer lanes, BLAS's kernels for the machine are faster than ours.
  static let fewestPanelRows = 8

  init(_ problem: AttentionProblem, _ extent: SequenceExtent, _ variant: KernelVariant) {
    let sizes = problem.sizes
    let rows = sizes.groupSize * extent.queryCount
    if let forced = variant.kernel, Self.refusal(of: forced, problem) == nil {
      (kernel, reason) = (forced, "asked for")
    } else if problem.accumulatorType == .float64 {
      (kernel, reason) = (.gemm, "scores are kept in float64")
    } else if variant.kernels.pointee.panel_rows < Self.fewestPanelRows {
      (kernel, reason) = (.gemm, "\(variant.setName) has no vectors for the others")
    } else if rows <= Self.mostStreamedRows {
      (kernel, reason) = (.decode, "\(rows) query rows a key/value head, at most \(Self.mostStreamedRows)")
    } else if let refusal = Self.refusal(of: .fused, problem) {
      (kernel, reason) = (.gemm, refusal)
    } else {
      (kernel, reason) = (.fused, "more than \(Self.mostStreamedRows) query rows a key/value head")
    }
  }

  /// Why a kernel cannot compute a problem, or nil where it can.
  static func refusal(of kernel: AttentionPlan.Kernel, _ problem: AttentionProblem) -> String? {
    let sizes = problem.sizes
    switch kernel {
    case .gemm: return nil
    case .decode: return problem.accumulatorType == .float64 ? "scores are kept in float64" : nil
    case .fused:
      if problem.accumulatorType == .float64 { return "scores are kept in float64" }
      if problem.scoring.needsRows { return "additive or boolean masks or modifiers, which work on rows of scores" }
      if max(sizes.headDimension, sizes.valueDimension) > widestFused {
        return "heads are wider than \(widestFused)"
      }
      return nil
    }
  }
}
