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
    case rows(Int)
    case refused(Refusal)
  }

  /// Why a kernel cannot compute a problem.
  enum Refusal: String, Sendable {
    case double = "scores are kept in float64"
    case modifiers = "modifiers, which work on rows of scores"
    case width = "heads are too wide"
  }

  /// Rows up to which a stream of keys and values is limited by memory and not by arithmetic: 8 rows do 4 multiply-adds for each byte
  /// of a Float32 key, about what two vector units do while memory delivers it.
  static let mostStreamedRows = 8
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
    } else if rows <= Self.mostStreamedRows {
      (kernel, reason) = (.decode, .rows(rows))
    } else if let refusal = Self.refusal(of: .fused, problem, variant) {
      (kernel, reason) = (.gemm, .refused(refusal))
    } else {
      (kernel, reason) = (.fused, .rows(rows))
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
    case .rows(let count):
      "\(count) query rows a key/value head, \(count <= KernelRule.mostStreamedRows ? "at most" : "more than") \(KernelRule.mostStreamedRows)"
    case .refused(let refusal): refusal.rawValue
    }
  }
}
