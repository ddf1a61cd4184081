/// The kernel that computes the sequences of one size, with its tiles.
///
/// It follows from the sizes of one (sequence, head) and the problem's rules alone, as all that decides about rounding does.
enum BlockTiles: Sendable {
  case gemm(GEMMTiles)
  case fused(FusedTiles)
  case decode(DecodeTiles)

  init(_ problem: AttentionProblem, _ extent: SequenceExtent, _ variant: KernelVariant) {
    switch KernelRule(problem, extent, variant).kernel {
    case .gemm: self = .gemm(GEMMTiles(problem, extent, variant))
    case .fused: self = .fused(FusedTiles(problem, extent, variant.kernels))
    case .decode: self = .decode(DecodeTiles(problem, extent))
    }
  }

  var kernel: AttentionPlan.Kernel {
    switch self {
    case .gemm: .gemm
    case .fused: .fused
    case .decode: .decode
    }
  }

  /// Whether it takes as long as reading its keys and values takes, and arithmetic beside that costs nothing.
  var isStreamed: Bool {
    switch self {
    case .gemm, .fused: false
    case .decode: true
    }
  }

  /// Query rows of a block, the query heads of a group stacked.
  var rows: Int {
    switch self {
    case .gemm(let tiles): tiles.rows
    case .fused(let tiles): tiles.rows
    case .decode(let tiles): tiles.rows
    }
  }

  /// Keys of a tile, at most.
  var keys: Int {
    switch self {
    case .gemm(let tiles): tiles.keys
    case .fused(let tiles): tiles.keys
    case .decode(let tiles): tiles.keys
    }
  }

  /// Parts of a block's keys that are computed apart and merged.
  var parts: Int {
    switch self {
    case .gemm, .fused: 1
    case .decode(let tiles): tiles.parts
    }
  }

  /// Scratch memory of a thread.
  func workspaceBytes(_ problem: AttentionProblem, _ kernels: KernelTable) -> Int {
    switch self {
    case .gemm(let tiles): tiles.workspace(problem).byteCount
    case .fused(let tiles): tiles.workspace(problem, kernels).byteCount
    case .decode(let tiles): tiles.workspace(problem).byteCount
    }
  }
}
