import CAttentionKernels

/// The score rules of a problem, applied to tiles of scores.
struct TileScoring<Scalar: AttentionAccumulator> {
  private let rules: ScoreRules
  private let softcap: Scalar?
  private let biases: [(operand: StridedOperand, load: Scalar.Load)]
  private let slopes: [Scalar]?
  private let kernels: KernelTable

  init(_ rules: ScoreRules, _ kernels: KernelTable) {
    self.rules = rules
    self.softcap = rules.softcap.map { Scalar($0) }
    self.biases = rules.biases.map { ($0, Scalar.load($0.elementType, kernels)) }
    self.slopes = rules.alibiSlopes.map { $0.map { Scalar($0) } }
    self.kernels = kernels
  }

  var isEmpty: Bool { rules.isEmpty }

  /// Applies all rules to a tile, up to what its rows see.
  ///
  /// - Parameters:
  ///   - scores: of the block's `rows` and of `keys`; the first row's scores come first.
  ///   - seen: for each row of the block, the columns of the tile that it sees.
  ///   - scratch: room for two rows, where biases are brought together.
  ///   - exact: computes products again that overflowed.
  func apply(
    to scores: UnsafeMutablePointer<Scalar>, rowStride: Int, keys: Range<Int>, rows: Range<Int>,
    of block: RowBlock, seen: (Int) -> Range<Int>, scratch: UnsafeMutablePointer<Scalar>,
    _ exact: ExactRow<Scalar>
  ) {
    func forEachRow(_ body: (UnsafeMutablePointer<Scalar>, _ keys: Range<Int>, RowIndex) -> Void) {
      for row in rows {
        let columns = seen(row)
        if columns.isEmpty { continue }
        body(
          scores + (row - rows.lowerBound) * rowStride + columns.lowerBound,
          keys.lowerBound + columns.lowerBound..<keys.lowerBound + columns.upperBound, block.index(row))
      }
    }
    let isModified = !rules.modifiers.isEmpty
    forEachRow { part, keys, index in
      cap(part, keys, index, block, exact)
      addBiases(to: part, keys, index, block.extent, scratch)
      if !isModified { hide(part, keys, index) }
    }
    if !isModified { return }
    let tile = ScoreBlock(scores, rowStride: rowStride, keys: keys, rows: rows, of: block)
    for modifier in rules.modifiers { Scalar.modify(tile, modifier) }
    // What a modifier makes of a hidden key's score does not bring the key back.
    forEachRow { part, keys, index in
      if let added = sumOfBiases(keys, index, scratch) {
        for i in 0..<keys.count where added[i] == -.infinity { part[i] = -.infinity }
      }
      hide(part, keys, index)
    }
  }

  /// `s = softcap · tanh(s / softcap)` along part of one row of products; nothing where there is no softcap.
  ///
  /// Products that overflowed are computed again before anything makes numbers of them like any other.
  func cap(
    _ scores: UnsafeMutablePointer<Scalar>, _ keys: Range<Int>, _ index: RowIndex, _ block: RowBlock,
    _ exact: ExactRow<Scalar>
  ) {
    guard let softcap else { return exact.repair(scores, of: keys, index, block) }
    if Scalar.cap(scores, keys.count, softcap, kernels) { return }
    exact.products(into: scores, of: keys, index, block)
    _ = Scalar.cap(scores, keys.count, softcap, kernels)
  }

  /// Adds the biases and ALiBi to part of one row of scores.
  func addBiases(
    to scores: UnsafeMutablePointer<Scalar>, _ keys: Range<Int>, _ index: RowIndex, _ extent: SequenceExtent,
    _ scratch: UnsafeMutablePointer<Scalar>
  ) {
    if let sum = sumOfBiases(keys, index, scratch) { Scalar.addBias(scores, sum, keys.count, kernels) }
    if let slopes {
      let distance = keys.lowerBound - (index.query + extent.offset)
      Scalar.addALiBi(scores, keys.count, slopes[index.head], Scalar(distance), kernels)
    }
  }

  /// What all biases together add along part of one row; nil where there are none.
  ///
  /// They are summed before they meet the scores: −∞ in one of them, or in the sum, hides the key whatever the others say, while a
  /// score that is −∞ by itself hides nothing.
  private func sumOfBiases(
    _ keys: Range<Int>, _ index: RowIndex, _ scratch: UnsafeMutablePointer<Scalar>
  ) -> UnsafePointer<Scalar>? {
    guard let first = biases.first else { return nil }
    var sum = row(first, keys, index, scratch)
    for other in biases.dropFirst() {
      if sum != UnsafePointer(scratch) { scratch.update(from: sum, count: keys.count) }
      sum = UnsafePointer(scratch)
      Scalar.combineBias(scratch, row(other, keys, index, scratch + keys.count), keys.count, kernels)
    }
    return sum
  }

  /// Hides what boolean masks hide along part of one row of scores.
  func hide(_ scores: UnsafeMutablePointer<Scalar>, _ keys: Range<Int>, _ index: RowIndex) {
    for operand in rules.visibilityMasks {
      let source =
        operand.row(index.sequence, index.head, index.query) + keys.lowerBound &* operand.byteStrides.column
      Scalar.hide(
        scores, source.assumingMemoryBound(to: UInt8.self), stride: operand.byteStrides.column,
        keys.count, kernels)
    }
  }

  /// Whether biases and boolean masks hide all of these keys from a query; modifiers are not asked.
  ///
  /// - Parameters:
  ///   - keys: counted in the sequence, any number of them.
  ///   - width: how many to look at a time.
  ///   - probe: room for as many scores.
  ///   - scratch: room for two rows of them.
  func hidesAll(
    _ keys: Range<Int>, from index: RowIndex, _ extent: SequenceExtent, width: Int,
    probe: UnsafeMutablePointer<Scalar>, scratch: UnsafeMutablePointer<Scalar>
  ) -> Bool {
    if biases.isEmpty && rules.visibilityMasks.isEmpty { return keys.isEmpty }
    var first = keys.lowerBound
    while first < keys.upperBound {
      let part = first..<min(first + width, keys.upperBound)
      probe.update(repeating: 0, count: part.count)
      addBiases(to: probe, part, index, extent, scratch)
      hide(probe, part, index)
      for i in 0..<part.count where probe[i] != -.infinity { return false }
      first = part.upperBound
    }
    return true
  }

  /// Part of a row of a bias in the scores' type: in place where it lies so, else brought into scratch.
  private func row(
    _ bias: (operand: StridedOperand, load: Scalar.Load), _ keys: Range<Int>, _ index: RowIndex,
    _ scratch: UnsafeMutablePointer<Scalar>
  ) -> UnsafePointer<Scalar> {
    let operand = bias.operand
    let source =
      operand.row(index.sequence, index.head, index.query) + keys.lowerBound &* operand.byteStrides.column
    if operand.elementType == Scalar.elementType && operand.columnStride == 1 {
      return source.assumingMemoryBound(to: Scalar.self)
    }
    Scalar.run(bias.load, into: scratch, source, stride: operand.columnStride, keys.count, factor: 1)
    return UnsafePointer(scratch)
  }
}
