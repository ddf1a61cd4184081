import CAttentionKernels
import LinearAlgebra

/// What the CPU and its BLAS offer to a kernel: chosen once for a process, forced by tests.
struct KernelVariant {
  /// The kernels of one instruction set.
  let kernels: KernelTable
  /// See ``BLASRuntime/smallProductLimit``.
  let smallProductLimit: Int?
  /// The kernel that has to be used; nil leaves it to ``KernelRule``.
  var kernel: AttentionPlan.Kernel?

  /// The best that this machine has.
  static var best: KernelVariant {
    KernelVariant(kernels: CAttentionKernels_active(), smallProductLimit: BLASRuntime.smallProductLimit)
  }

  /// The name of the instruction set.
  var setName: String { String(cString: kernels.pointee.name) }
}

extension KernelVariant {
  /// The instruction sets that this CPU supports, lowest first.
  static var setNames: [String] {
    var names: [String] = []
    while let name = CAttentionKernels_name(Int32(names.count)) { names.append(String(cString: name)) }
    return names
  }

  /// A variant by the name of its set, or nil where the CPU does not support it.
  ///
  /// - Parameter usesSmallProducts: see ``BLASRuntime/smallProductLimit``; nil where this BLAS decides.
  init?(setName: String, usesSmallProducts: Bool?) {
    guard let kernels = CAttentionKernels_named(setName) else { return nil }
    // Any BLAS can multiply small strips, if not always faster: so this path is tested on all of them.
    let limit = usesSmallProducts.map { $0 ? 1_000_000 : nil } ?? BLASRuntime.smallProductLimit
    self.init(kernels: kernels, smallProductLimit: limit)
  }
}
