import CAttentionKernels

/// The tile sizes of the fused kernel for one sequence.
///
/// They depend on the sizes of one (sequence, head), the element type and the instruction set: same tiles, same rounding.
struct FusedTiles: Sendable {
  /// Query rows of a block, whole panels but for the last block.
  let rows: Int
  /// Keys of a block.
  let keys: Int
  /// Whether products are of bf16 pairs, to which integers are brought a block of keys at a time; Float32 otherwise, converted a block of
  /// keys at a time where elements are not.
  let multipliesPairs: Bool

  /// Panels of a block share each block of keys while it is in the second-level cache; 4 of 32 rows are enough to make its way there
  /// cheap (16 times as much arithmetic for each byte as memory speed asks for), and more would make causal blocks ragged.
  static let mostRows = 128

  init(_ problem: AttentionProblem, _ extent: SequenceExtent, _ kernels: KernelTable) {
    let sizes = problem.sizes
    let areBFloat16 =
      problem.elementType == .bfloat16 && problem.keys.type.becomesBFloat16
      && problem.values.type.becomesBFloat16
    multipliesPairs =
      areBFloat16 && kernels.pointee.dots_bf16_pairs != 0 && sizes.headDimension.isMultiple(of: 2)
    let count = sizes.groupSize * extent.queryCount
    rows = Self.evenShare(of: count, atMost: Self.mostRows, step: kernels.pointee.panel_rows)
    keys = Self.evenShare(
      of: extent.keyCount, atMost: kernels.pointee.block_keys, step: kernels.pointee.tile_keys)
  }

  /// The workspace that the tiles need.
  func workspace(_ problem: AttentionProblem, _ kernels: KernelTable) -> FusedWorkspaceLayout {
    let panelRows = kernels.pointee.panel_rows
    return FusedWorkspaceLayout(
      problem, kernels, panels: (rows + panelRows - 1) / panelRows, keys: keys, pairs: multipliesPairs)
  }

  /// The size of equal parts of `count` that are at most `limit`, itself a multiple of `step`, rounded up to multiples of that: 300 keys
  /// are two blocks of 152, and not 256 and 44.
  static func evenShare(of count: Int, atMost limit: Int, step: Int) -> Int {
    guard count > 0 else { return step }
    let parts = (count + limit - 1) / limit
    let share = (count + parts - 1) / parts
    return min(limit, (share + step - 1) / step * step)
  }
}

/// Where the pieces of a thread's workspace lie: byte offsets from a 64-byte-aligned start.
struct FusedWorkspaceLayout: Sendable {
  let panels: Int
  let hints: Int
  let scratch: Int
  let queries: Int
  let output: Int
  let state: Int
  let ranges: Int
  let slopes: Int
  let positions: Int
  let factors: Int
  let exact: Int
  let finite: Int
  let keys: Int
  let values: Int
  let rows: Int
  let bias: Int
  let visible: Int
  let byteCount: Int
  /// In numbers, from panel to panel.
  let queryStride: Int
  let outputStride: Int
  let panelRows: Int
  let panelCount: Int

  /// - Parameter keys: keys of a block.
  init(_ problem: AttentionProblem, _ kernels: KernelTable, panels: Int, keys: Int, pairs: Bool) {
    var end = 0
    func place(_ count: Int, _ size: Int) -> Int {
      defer { end += (count * size + 63) / 64 * 64 }
      return end
    }
    let float = MemoryLayout<Float>.size
    let (depth, valueWidth) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let width = kernels.pointee.panel_rows
    let hasBiases = problem.scoring.biases != nil
    panelRows = width
    panelCount = panels
    queryStride = (pairs ? depth / 2 : depth) * width
    outputStride = valueWidth * width
    scratch = place(kernels.pointee.block_scratch, float)
    self.panels = place(panels, MemoryLayout<CAttentionKernels_panel>.stride)
    queries = place(panels * queryStride, float)
    output = place(panels * outputStride, float)
    state = place(panels * 5 * width, float)
    ranges = place(panels * VisibleRanges.entries * width, MemoryLayout<Int32>.size)
    slopes = place(panels * width, float)
    positions = place(2 * panels * width, MemoryLayout<Int64>.size)
    factors = place(width, float)
    exact = place(panels * width, 1)
    finite = place(width, 1)
    // Rows that cannot be read where they lie: keys and values a block at a time, queries and outputs a panel at a time.
    // Pairs that are gathered take half as much for each, and values then come through the keys' place.
    self.keys = place(keys * (pairs ? (depth + valueWidth + 1) / 2 + 1 : depth), float)
    values = place(keys * valueWidth, float)
    rows = place(width * max(depth, valueWidth), float)
    // What masks say of one panel and one block of keys.
    bias = place(hasBiases ? keys * width : 0, float)
    visible = place(
      hasBiases || problem.scoring.visibilityMasks != nil || problem.hasHoles ? keys : 0,
      MemoryLayout<UInt32>.size)
    hints = place(CAttentionKernels_hint_count, MemoryLayout<CAttentionKernels_hint>.stride)
    byteCount = end
  }
}
