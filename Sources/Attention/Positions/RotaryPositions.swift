/// Which position each token of `[B, H, T, D]` has: which row of the tables turns it. All heads of a token share it.
public enum RotaryPositions: Sendable {
  /// Token `t` of every sequence has position `first + t`.
  case from(Int)

  /// Token `t` of sequence `b` has position `offsets[b] + t`: one offset a sequence, its length so far when decoding.
  case offsets([Int])

  /// Positions by name, as ONNX's `position_ids`: `[B, T]`, or `[T]` or `[1, T]` for all sequences alike. In any order and with
  /// repeats (left padding, packed sequences, speculative trees); runs of neighbours are fastest.
  case ids(Tensor<Int64>)

  /// The tables have a row for each token, `[B, T, R/2]`, as ONNX's `cos_cache` and `sin_cache` without `position_ids`: for
  /// embeddings of such tables, and no others. See ``RotaryEmbedding/init(cosines:sines:headDimension:layout:)``.
  case rowPerToken
}

/// The table row of each token, checked: all lie within the tables.
struct RotaryRows {
  private enum Source {
    case first(Int)
    case firsts([Int])
    case numbered
    case listed(Tensor<Int64>)
  }

  private let source: Source
  private let tokens: Int

  /// - Throws: where a token's position is negative or beyond the tables, or offsets, ids or rows do not fit the tensor.
  init(
    _ positions: RotaryPositions, of rotary: RotaryEmbedding, sequences: Int, tokens: Int
  ) throws(AttentionError) {
    self.tokens = tokens
    let tableRows = rotary.positionCount
    if let tokenShape = rotary.tokenShape {
      guard case .rowPerToken = positions else {
        throw AttentionError(
          "positions", "positions of one table given, expected rowPerToken for tables of \(tokenShape) tokens"
        )
      }
      guard tokenShape == [sequences, tokens] else {
        throw AttentionError(
          "positions",
          "a tensor of [\(sequences), \(tokens)] tokens given, expected \(tokenShape) as the tables have")
      }
    }
    switch positions {
    case .from(let first):
      try Self.check(first, tokens, tableRows)
      source = .first(first)
    case .offsets(let offsets):
      guard offsets.count == sequences else {
        throw AttentionError(
          "positions", "\(offsets.count) offsets given, expected \(sequences), one a sequence")
      }
      for offset in offsets { try Self.check(offset, tokens, tableRows) }
      source = .firsts(offsets)
    case .rowPerToken:
      guard rotary.tokenShape != nil else {
        throw AttentionError("positions", "rowPerToken given, expected tables of [B, T, R/2] for it")
      }
      source = .numbered
    case .ids(let ids):
      let shape = ids.shape
      let fits =
        shape.last == tokens && (shape.count == 1 || shape.count == 2 && [1, sequences].contains(shape[0]))
      guard fits, let each = try? ids.broadcast(to: [sequences, tokens]) else {
        throw AttentionError(
          "positions", "ids of shape \(shape) given, expected [\(sequences), \(tokens)] or [\(tokens)]")
      }
      try Self.check(ids, tableRows)
      source = .listed(each)
    }
  }

  private static func check(_ first: Int, _ tokens: Int, _ tableRows: Int) throws(AttentionError) {
    guard first >= 0, tokens <= tableRows, first <= tableRows - tokens else {
      throw AttentionError(
        "positions",
        "\(tokens) positions from \(first) given, expected all within the tables' 0..<\(tableRows)")
    }
  }

  private static func check(_ ids: Tensor<Int64>, _ tableRows: Int) throws(AttentionError) {
    var (lowest, highest) = (Int64(0), Int64(-1))
    ids.forEachRow { row, count, stride in
      for index in 0..<count {
        lowest = min(lowest, row[index &* stride])
        highest = max(highest, row[index &* stride])
      }
    }
    guard lowest >= 0, highest < Int64(tableRows) else {
      throw AttentionError(
        "positions",
        "id \(lowest < 0 ? lowest : highest) given, expected all within the tables' 0..<\(tableRows)")
    }
  }

  /// The table row of a token, and how many tokens from it on, at most `limit`, have rows the same step apart.
  func run(sequence: Int, token: Int, limit: Int) -> (row: Int, step: Int, count: Int) {
    switch source {
    case .first(let first): return (first + token, 1, limit)
    case .firsts(let firsts): return (firsts[sequence] + token, 1, limit)
    case .numbered: return (sequence * tokens + token, 1, limit)
    case .listed(let ids):
      let stride = ids.strides[1]
      let id = ids.unsafeBase + (sequence &* ids.strides[0] &+ token &* stride)
      let row = Int(id[0])
      if limit == 1 { return (row, 0, 1) }
      let step = Int(id[stride]) - row
      var count = 2
      while count < limit, Int(id[count &* stride]) == row + step * count { count += 1 }
      return (row, step, count)
    }
  }
}
