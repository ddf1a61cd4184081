import Attention
import TestSupport
import Testing

/// What the rules of a mask ask of a kernel.
enum MaskDemand: CaseIterable, Sendable {
  /// Key ranges, lengths and ALiBi.
  case ranges
  /// Tensors of booleans or biases.
  case tensors
  /// Changes of scores by a closure.
  case modifiers
}

/// Which problems a kernel has to compute, in the tests' own words.
///
/// Tests force a kernel only on what it must compute, and hold it to refusing the rest: a kernel that begins to refuse a problem, or
/// that computes more than is written here, fails them.
struct KernelDuty {
  let kernel: AttentionPlan.Kernel
  /// Whether scores and sums are Float64.
  var isDouble = false
  var demand = MaskDemand.ranges
  /// The wider of a key and a value.
  var width = 1

  /// Whether the kernel must compute such a problem.
  var isDue: Bool {
    switch kernel {
    case .gemm: true
    case .decode: !isDouble
    case .fused: !isDouble && demand != .modifiers && width <= 512
    }
  }
}

extension ForcedVariant {
  /// What `body` computes this way; nil where the kernel must refuse the problem, and did.
  func result<Result>(
    ifDue duty: KernelDuty, _ context: @autoclosure () -> String,
    sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws(AttentionError) -> Result
  ) throws(AttentionError) -> Result? {
    do throws(AttentionError) {
      let result = try body()
      #expect(duty.isDue, "computed, \(context())", sourceLocation: sourceLocation)
      return duty.isDue ? result : nil
    } catch {
      guard error.argument == "kernel" else { throw error }
      #expect(!duty.isDue, "refused, \(context()): \(error.reason)", sourceLocation: sourceLocation)
      return nil
    }
  }
}

/// Which kernels ran in which element types, and how often.
struct KernelRuns {
  private struct Combination: Hashable {
    let variant: String
    let element: ElementType
  }

  private var counts: [Combination: Int] = [:]

  /// Counts a run.
  mutating func add(_ variant: ForcedVariant, _ element: ElementType) {
    counts[Combination(variant: variant.description, element: element), default: 0] += 1
  }

  /// Expects each kernel to have run this often in each type in which it must compute such problems, and never in another.
  func expect(
    _ count: Int, of variants: [ForcedVariant], _ elements: [ElementType], demand: MaskDemand = .ranges,
    _ context: @autoclosure () -> String, sourceLocation: SourceLocation = #_sourceLocation
  ) {
    for variant in variants {
      for element in elements {
        let duty = KernelDuty(kernel: variant.kernel, isDouble: element == .float64, demand: demand)
        let runs = counts[Combination(variant: variant.description, element: element)] ?? 0
        #expect(
          runs == (duty.isDue ? count : 0), "runs of \(variant) in \(element), \(context())",
          sourceLocation: sourceLocation)
      }
    }
  }
}

@Suite struct KernelDutyTests {
  /// Loops over the variants reach every kernel of every instruction set of this CPU.
  @Test func everySetHasEveryKernel() {
    for set in RotaryEmbeddingTests.sets {
      for kernel in AttentionPlan.Kernel.allCases {
        #expect(ForcedVariant.all.contains { $0.set == set && $0.kernel == kernel }, "\(set), \(kernel)")
      }
    }
    #expect(ForcedVariant.best.allSatisfy { $0.set == RotaryEmbeddingTests.sets.last })
    #expect(Set(ForcedVariant.best.map(\.kernel)) == Set(AttentionPlan.Kernel.allCases))
  }

  /// Forcing never falls back to another kernel.
  @Test func aForcedKernelRefusesWhatItCannotCompute() {
    let narrow = Tensor<Float>.zeros([1, 1, 2, 4])
    let wide = Tensor<Float>.zeros([1, 1, 2, 513])
    let double = Tensor<Double>.zeros([1, 1, 2, 4])
    let hide = AttentionMask.modifier(ScoreModifier { _, _ in -.infinity })
    for variant in ForcedVariant.best where variant.kernel == .fused {
      expectRefusal(of: "kernel", "fused") {
        try ScaledDotProductAttention(mask: hide, on: Pools.one).withLogSumExp(
          narrow, KeyValues(keys: narrow, values: narrow), forcing: variant)
      }
      expectRefusal(of: "kernel", "wide") {
        try ScaledDotProductAttention(on: Pools.one).withLogSumExp(
          wide, KeyValues(keys: wide, values: wide), forcing: variant)
      }
    }
    for variant in ForcedVariant.best where variant.kernel != .gemm {
      expectRefusal(of: "kernel", "float64") {
        try ScaledDotProductAttention(on: Pools.one).withLogSumExp(
          double, KeyValues(keys: double, values: double), forcing: variant)
      }
      expectRefusal(of: "kernel", "float64") {
        try ScaledDotProductAttention(options: AttentionOptions(softmaxPrecision: .float64), on: Pools.one)
          .withLogSumExp(narrow, KeyValues(keys: narrow, values: narrow), forcing: variant)
      }
    }
  }
}
