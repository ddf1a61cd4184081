import CAttentionKernels

// A part of keys that several sequences have in common, streamed once for all of them: their rows are stacked in one workspace.

extension DecodeAttention {
  /// A sequence's rows in the stack.
  private struct Member {
    let group: BlockGroup
    let number: Int
    let block: RowBlock
    /// The workspace from its first row on.
    let work: TileWorkspace<Float>
    /// Its rows in the stack.
    let rows: Range<Int>
    let form: StreamedQueries
  }

  /// Rows of the stack that one call of a kernel takes.
  private struct Span {
    var rows: Range<Int>
    let form: StreamedQueries
  }

  /// Computes a part of keys of one head for the queries of some sequences, each of one block a head.
  func attendShared(
    _ part: Int, of groups: [BlockGroup], head: Int, _ memory: UnsafeMutableRawBufferPointer
  ) {
    guard case .decode(let tiles) = groups[0].tiles else { preconditionFailure("shared parts are decoded") }
    let (depth, width) = (problem.sizes.headDimension, problem.sizes.valueDimension)
    let stack = TileWorkspace<Float>(memory, tiles.workspace(problem, members: groups.count))
    var start = 0
    let members = groups.map { group in
      let block = group.block(head)
      let work = stack.from(start, depth: depth, width: width)
      _ = tileRows.prepare(block, work)
      work.output.update(repeating: 0, count: block.rows.count * width)
      defer { start += block.rows.count }
      return Member(
        group: group, number: head, block: block, work: work, rows: start..<start + block.rows.count,
        form: stream.prepare(work, rows: block.rows.count))
    }
    let end = (part + 1) * tiles.partKeys
    for first in stride(from: part * tiles.partKeys, to: end, by: tiles.keys) {
      add(first..<min(first + tiles.keys, end), of: members, stack, end: end)
    }
    for member in members {
      partial.save(member.work, member.block, member.number, part: part, of: member.group)
    }
  }

  /// Adds a tile of keys and values to the rows that see any of it.
  ///
  /// - Parameter end: where the part ends, up to which keys are prefetched.
  private func add(
    _ tile: Range<Int>, of members: [Member], _ stack: TileWorkspace<Float>, end: Int
  ) {
    var spans: [Span] = []
    var seeing: [(member: Member, rows: Range<Int>)] = []
    for member in members {
      let rows = tileRows.rowsSeeing(tile, of: member.block, member.work)
      if rows.isEmpty { continue }
      seeing.append((member, rows))
      let first = member.rows.lowerBound
      let stacked = first + rows.lowerBound..<first + rows.upperBound
      if let last = spans.last, last.form == member.form, last.rows.upperBound == stacked.lowerBound {
        spans[spans.count - 1].rows = last.rows.lowerBound..<stacked.upperBound
      } else {
        spans.append(Span(rows: stacked, form: member.form))
      }
    }
    let block = members[0].block
    guard !spans.isEmpty, let keys = keys.stretch(tile, block), let values = values.stretch(tile, block)
    else { return }
    let following = self.keys.stretch(tile.upperBound..<end, block)
    for span in spans {
      self.keys.forEachPiece(
        of: keys,
        heads: StreamHeads(count: 1, scratch: stack.packedKeys, stride: 0, runs: stack.runs),
        next: { self.values.run(within: $0, of: values) }
      ) { piece, stream, type in
        multiply(
          stream, type, span.form, stack, span.rows, at: piece.lowerBound, stride: 0, scoreHeadStride: 0)
      }
    }
    for (member, rows) in seeing { tileRows.weigh(tile, rows, of: member.block, member.work) }
    for span in spans {
      self.values.forEachPiece(
        of: values,
        heads: StreamHeads(count: 1, scratch: stack.packedValues, stride: 0, runs: stack.runs),
        next: { row in following.flatMap { self.keys.run(within: row, of: $0) } }
      ) { piece, stream, type in
        sum(stream, type, stack, span.rows, at: piece.lowerBound, stride: 0, scoreHeadStride: 0)
      }
    }
  }
}
