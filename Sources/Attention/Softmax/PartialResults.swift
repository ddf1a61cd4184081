import CAttentionKernels

/// What parts of keys leave behind until all parts of a row are there: for each part, each row's running softmax and its output so far.
///
/// It is the state of ``OnlineSoftmax`` and not yet an average: nothing is divided before the end, and parts are merged in the order of
/// their keys, whoever computed them.
struct PartialResults {
  private let memory: UnsafeMutablePointer<Float>
  private let width: Int

  /// - Parameter memory: ``byteCount(rows:valueDimension:)`` bytes.
  init(_ memory: UnsafeMutableRawBufferPointer, valueDimension: Int) {
    guard let base = memory.baseAddress else { preconditionFailure("no memory for the results of parts") }
    self.memory = base.assumingMemoryBound(to: Float.self)
    self.width = valueDimension
  }

  /// Bytes that so many rows of parts need.
  static func byteCount(rows: Int, valueDimension: Int) -> Int {
    rows * (valueDimension + 2) * MemoryLayout<Float>.size
  }

  private func row(_ group: BlockGroup, _ number: Int, _ part: Int, _ row: Int) -> UnsafeMutablePointer<Float>
  {
    let parts = group.tiles.parts
    let index = group.firstPartialRow + (number * parts + part) * group.tiles.rows + row
    return memory + index * (width + 2)
  }

  /// Keeps what a part has come to.
  func save(
    _ work: TileWorkspace<Float>, _ block: RowBlock, _ number: Int, part: Int, of group: BlockGroup
  ) {
    for index in 0..<block.rows.count {
      let target = row(group, number, part, index)
      target[0] = work.softmax.maximum[index]
      target[1] = work.softmax.sum[index]
      (target + 2).update(from: work.output + index * width, count: width)
    }
  }

  /// Merges all parts of a block into the state and the output of a workspace.
  func merge(
    into work: TileWorkspace<Float>, _ block: RowBlock, _ number: Int, of group: BlockGroup,
    _ kernels: KernelTable
  ) {
    let rows = RowKernels<Float>(kernels)
    for index in 0..<block.rows.count {
      let merged = SoftmaxMerge<Float>(parts: group.tiles.parts) { part in
        let state = row(group, number, part, index)
        return (state[0], state[1])
      }
      let output = work.output + index * width
      output.update(repeating: 0, count: width)
      for part in 0..<group.tiles.parts {
        let state = row(group, number, part, index)
        guard let factor = merged.factor(state[0], state[1]) else { continue }
        rows.scaleAndAdd(output, width, 1, state + 2, factor)
      }
      work.softmax.maximum[index] = merged.maximum
      work.softmax.sum[index] = merged.sum
    }
  }
}
