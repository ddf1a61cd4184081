import CAttentionKernels
import LinearAlgebra

/// Scores of some rows of a block by consecutive keys, on their way through a score program.
struct ScoredTile<Scalar> {
  let scores: MutableMatrixOperand<Scalar>
  /// Counted in the sequence.
  let keys: Range<Int>
  /// Counted in the block.
  let rows: Range<Int>
  let block: RowBlock
  /// Counted in the sequence.
  let seen: SeenKeys
  /// Room for two rows of scores.
  let scratch: UnsafeMutablePointer<Scalar>
}

/// The keys that each row of a tile sees: row `r` those from `begin[r]` up to `end[r]`.
struct SeenKeys {
  let begin: UnsafePointer<Int32>
  let end: UnsafePointer<Int32>

  init(_ begin: UnsafePointer<Int32>, _ end: UnsafePointer<Int32>) {
    self.begin = begin
    self.end = end
  }
}

/// Part of one row of scores: what the row sees of a tile.
struct ScoredRow<Scalar> {
  let scores: UnsafeMutablePointer<Scalar>
  let keys: Range<Int>
  let index: RowIndex
  /// The key that the query stands on.
  let position: Int
  let scratch: UnsafeMutablePointer<Scalar>
}

extension ScoredTile {
  /// Goes through the rows that see some of the keys.
  func forEachRow(_ body: (ScoredRow<Scalar>) -> Void) {
    for row in 0..<rows.count {
      let first = max(Int(seen.begin[row]), keys.lowerBound)
      let last = min(Int(seen.end[row]), keys.upperBound)
      if first >= last { continue }
      let index = block.index(rows.lowerBound + row)
      body(
        ScoredRow(
          scores: scores.base + row * scores.leadingDimension + first - keys.lowerBound, keys: first..<last,
          index: index, position: index.query + block.extent.offset, scratch: scratch))
    }
  }
}

/// The score program of a problem, run on tiles of scores that lie as rows.
struct TileScoring<Scalar: AttentionAccumulator> {
  let program: ScoreProgram
  private let kernels: RowKernels<Scalar>

  init(_ program: ScoreProgram, _ kernels: KernelTable) {
    self.program = program
    self.kernels = RowKernels(kernels)
  }

  var isEmpty: Bool { program.isEmpty }

  /// Runs all steps on what the rows of a tile see of it.
  ///
  /// Products that overflowed are computed again before anything makes numbers of them like any other.
  func apply(to tile: ScoredTile<Scalar>, _ exact: ExactProducts) {
    tile.forEachRow { exact.repair($0, tile.block) }
    var biases: [StridedOperand] = []
    for step in program.steps {
      switch step {
      case .softcap(let softcap):
        tile.forEachRow { _ = kernels.cap($0.scores, $0.keys.count, softcap) }
      case .biases(let operands):
        biases = operands
        tile.forEachRow { kernels.addBias($0.scores, sum(of: operands, $0), $0.keys.count) }
      case .alibi(let slopes):
        tile.forEachRow { addALiBi(slopes, to: $0, tile.block.extent.positions) }
      case .modifiers(let modifiers):
        tile.block.extent.positions.forEachRun(of: tile.keys) { run, first in
          let block = ScoreBlock(
            tile.scores.base + run.lowerBound - tile.keys.lowerBound,
            rowStride: tile.scores.leadingDimension, keys: first..<first + run.count, rows: tile.rows,
            of: tile.block)
          for modifier in modifiers { Scalar.modify(block, modifier) }
        }
        // What a modifier makes of a hidden key's score does not bring the key back.
        if !biases.isEmpty { tile.forEachRow { hide(by: biases, $0) } }
      case .visibility(let masks): tile.forEachRow { hide(by: masks, $0) }
      }
    }
  }

  /// Writes −∞ to the scores of a row that tensors hide, whatever they are; modifiers are not asked.
  func hide(_ row: ScoredRow<Scalar>) {
    for step in program.steps {
      switch step {
      case .softcap, .alibi, .modifiers: break
      case .biases(let biases): hide(by: biases, row)
      case .visibility(let masks): hide(by: masks, row)
      }
    }
  }

  /// Whether tensors hide all keys that a row sees; modifiers are not asked.
  ///
  /// - Parameters:
  ///   - keys: the keys that ranges leave to the row, any number of them.
  ///   - width: how many to look at a time.
  ///   - probe: room for as many scores.
  ///   - scratch: room for two rows of them.
  func hidesAll(
    _ visible: VisibleKeys, of index: RowIndex, width: Int, probe: UnsafeMutablePointer<Scalar>,
    scratch: UnsafeMutablePointer<Scalar>
  ) -> Bool {
    // A row that has a hole sees keys on both sides of it.
    if !program.canHide { return visible.range.isEmpty }
    var first = visible.range.lowerBound
    while first < visible.range.upperBound {
      let keys = first..<min(first + width, visible.range.upperBound)
      probe.update(repeating: 0, count: keys.count)
      hide(ScoredRow(scores: probe, keys: keys, index: index, position: 0, scratch: scratch))
      for i in 0..<keys.count where probe[i] != -.infinity && !visible.hole.contains(first + i) {
        return false
      }
      first = keys.upperBound
    }
    return true
  }

  private func addALiBi(_ slopes: [Double], to row: ScoredRow<Scalar>, _ positions: KeyPositions) {
    positions.forEachRun(of: row.keys) { run, first in
      kernels.addALiBi(
        row.scores + run.lowerBound - row.keys.lowerBound, run.count, slopes[row.index.head],
        first - row.position)
    }
  }

  private func hide(by masks: [BooleanOperand], _ row: ScoredRow<Scalar>) {
    for mask in masks {
      let stride = mask.byteStrides.column
      let visible =
        mask.row(row.index.sequence, row.index.head, row.index.query) + row.keys.lowerBound &* stride
      kernels.hide(row.scores, visible, stride: stride, row.keys.count)
    }
  }

  private func hide(by biases: [StridedOperand], _ row: ScoredRow<Scalar>) {
    let sum = sum(of: biases, row)
    for i in 0..<row.keys.count where sum[i] == -.infinity { row.scores[i] = -.infinity }
  }

  /// What all biases together add along part of a row.
  ///
  /// They are summed before they meet the scores: −∞ in one of them hides the key whatever the others say, while a
  /// score that is −∞ by itself hides nothing.
  private func sum(of biases: [StridedOperand], _ row: ScoredRow<Scalar>) -> UnsafePointer<Scalar> {
    let (scratch, count) = (row.scratch, row.keys.count)
    var sum = part(of: biases[0], row, scratch)
    for other in biases.dropFirst() {
      if sum != UnsafePointer(scratch) { scratch.update(from: sum, count: count) }
      sum = UnsafePointer(scratch)
      kernels.combineBias(scratch, part(of: other, row, scratch + count), count)
    }
    return sum
  }

  /// Part of a row of a bias in the scores' type: in place where it lies so, else brought into scratch.
  private func part(
    of bias: StridedOperand, _ row: ScoredRow<Scalar>, _ scratch: UnsafeMutablePointer<Scalar>
  ) -> UnsafePointer<Scalar> {
    let source =
      bias.row(row.index.sequence, row.index.head, row.index.query)
      + row.keys.lowerBound &* bias.byteStrides.column
    if bias.type == AccumulatorType(Scalar.self).storage && bias.columnStride == 1 {
      return source.assumingMemoryBound(to: Scalar.self)
    }
    kernels.load(bias.type)(scratch, source, bias.columnStride, row.keys.count, 1)
    if bias.type == .float64 { clampToRange(scratch, source, bias, row.keys.count) }
    return UnsafePointer(scratch)
  }

  /// A finite bias beyond the scores' type counts as its largest number: only −∞ hides.
  private func clampToRange(
    _ target: UnsafeMutablePointer<Scalar>, _ source: UnsafeRawPointer, _ bias: StridedOperand, _ count: Int
  ) {
    for i in 0..<count where target[i].isInfinite {
      let value = (source + i &* bias.byteStrides.column).load(as: Double.self)
      if value.isFinite { target[i] = value < 0 ? -.greatestFiniteMagnitude : .greatestFiniteMagnitude }
    }
  }
}
