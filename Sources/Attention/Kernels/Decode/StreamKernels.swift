import CAttentionKernels

/// Which kernel streams the keys of a head: that of bfloat16 pairs where the CPU multiplies these, and queries and keys are such; else that
/// of their storage type.
///
/// The CPU's dot product takes subnormal numbers for 0. As in ``FusedUnits``, queries that are subnormal, or so large that a subnormal key
/// would count beside them, are multiplied exactly. That follows from a head's queries alone.
///
/// Values are converted, and weights are not rounded: rounded ones would not add up to the sum that outputs are divided by.
struct StreamKernels {
  private let kernels: KernelTable
  private let dots: (@convention(c) (UnsafePointer<CAttentionKernels_products>?) -> Void)?
  private let largestQuery: Float
  private let store: RowKernels<Float>.Store

  init(_ problem: AttentionProblem, _ kernels: KernelTable) {
    self.kernels = kernels
    dots = problem.elementType == .bfloat16 ? kernels.streamDots : nil
    largestQuery = FusedUnits(problem).largestPairedQuery
    store = RowKernels<Float>(kernels).store(.bfloat16)
  }

  /// Keeps the queries of a head, `count` numbers, in bfloat16 too, and says whether they can be multiplied as pairs.
  func pairs(_ work: TileWorkspace<Float>, count: Int) -> Bool {
    if dots == nil { return false }
    // They were bfloat16 before: nothing is rounded.
    _ = store(work.pairedQueries, 1, work.queries, count, 1)
    var largest: UInt16 = 0
    var subnormals: UInt16 = 0
    for index in 0..<count {
      let magnitude = work.pairedQueries[index] & 0x7FFF
      largest = max(largest, magnitude)
      // 0 and what is below the least exponent of a normal number.
      subnormals |= magnitude < 0x80 ? magnitude : 0
    }
    return subnormals == 0 && Float(bitPattern: UInt32(largest) << 16) <= largestQuery
  }

  /// What computes the scores of keys, and the queries that it takes.
  func products(
    of keys: StorageType, pairs: Bool, _ work: TileWorkspace<Float>, from first: Int
  ) -> (
    kernel: @convention(c) (UnsafePointer<CAttentionKernels_products>?) -> Void, queries: UnsafeRawPointer
  ) {
    if pairs, keys == .bfloat16, let dots {
      return (dots, UnsafeRawPointer(work.pairedQueries + first))
    }
    return (kernels.streamProducts(keys), UnsafeRawPointer(work.queries + first))
  }
}
