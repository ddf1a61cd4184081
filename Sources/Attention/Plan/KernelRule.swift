/// Which kernel computes a sequence, and why.
///
/// By the sequence's own sizes, the element type, the rules on scores and the CPU, and by nothing else in the batch: each kernel rounds
/// in its own way, and a sequence gives the same bits alone as beside others. Nor do strides and sources count.
struct KernelRule {
  let kernel: AttentionPlan.Kernel
  let reason: Reason

  /// Why a kernel was chosen.
  enum Reason: Sendable {
    case asked
    case double
    case narrowVectors
    case rows(Int, mostStreamed: Int)
    case refused(Refusal)
  }

  /// Why a kernel cannot compute a problem.
  enum Refusal: String, Sendable {
    case double = "scores are kept in float64"
    case modifiers = "modifiers, which work on rows of scores"
    case width = "heads are too wide"
  }

  /// Query rows up to which streaming keys and values is faster than tiles: a panel of tiles takes as long for one row as for all of its
  /// lanes, or for the lanes of one vector.
  ///
  /// Measured with 4096 keys of width 128. Sixteen lanes: streams compute 3/5 of the peak, as much as tiles with 21 of 32 rows. bfloat16
  /// whose pairs the CPU multiplies: tiles take as long for 16 rows as streams for 10. Eight lanes: streams compute a quarter, as much as
  /// tiles with 8 of 16 rows.
  static func mostStreamedRows(_ problem: AttentionProblem, _ variant: KernelVariant) -> Int {
    if variant.kernels.pointee.panel_rows < 32 { return 8 }
    let multipliesPairs =
      problem.elementType == .bfloat16 && problem.keys.type == .numbers(.bfloat16)
      && variant.kernels.streamDots != nil
    return multipliesPairs ? 8 : 20
  }
  /// Beyond this width a panel's queries, outputs and tiles no longer fit the second-level cache beside each other.
  static let widestFused = 512
  /// With fewer lanes, BLAS's kernels for the machine are faster than ours.
  static let fewestPanelRows = 8

  init(_ problem: AttentionProblem, _ extent: SequenceExtent, _ variant: KernelVariant) {
    let rows = problem.sizes.groupSize * extent.queryCount
    if let asked = variant.kernel {
      (kernel, reason) = (asked, .asked)
    } else if problem.accumulatorType == .float64 {
      (kernel, reason) = (.gemm, .double)
    } else if variant.kernels.pointee.panel_rows < Self.fewestPanelRows {
      (kernel, reason) = (.gemm, .narrowVectors)
    } else if case let most = Self.mostStreamedRows(problem, variant), rows <= most {
      (kernel, reason) = (.decode, .rows(rows, mostStreamed: most))
    } else if let refusal = Self.refusal(of: .fused, problem, variant) {
      (kernel, reason) = (.gemm, .refused(refusal))
    } else {
      (kernel, reason) = (
        .fused, .rows(rows, mostStreamed: Self.mostStreamedRows(problem, variant))
      )
    }
  }

  /// Why a kernel cannot compute a problem, or nil where it can.
  static func refusal(
    of kernel: AttentionPlan.Kernel, _ problem: AttentionProblem, _ variant: KernelVariant
  ) -> Refusal? {
    let sizes = problem.sizes
    switch kernel {
    case .gemm: return nil
    case .decode: return problem.accumulatorType == .float64 ? .double : nil
    case .fused:
      if problem.accumulatorType == .float64 { return .double }
      if problem.scoring.hasModifiers { return .modifiers }
      return max(sizes.headDimension, sizes.valueDimension) > widestFused ? .width : nil
    }
  }
}

extension KernelRule.Reason: CustomStringConvertible {
  var description: String {
    switch self {
    case .asked: "asked for"
    case .double: KernelRule.Refusal.double.rawValue
    case .narrowVectors: "this instruction set has no vectors for the others"
    case .rows(let count, let most):
      "\(count) query rows a key/value head, \(count <= most ? "at most" : "more than") \(most)"
    case .refused(let refusal): refusal.rawValue
    }
  }
}
