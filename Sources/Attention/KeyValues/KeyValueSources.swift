/// Checked keys and values: their shapes as one tensor each, and where their rows lie.
struct KeyValueSources {
  /// `[B, Hkv, Tk, D]`
  let keyShape: Shape
  /// `[B, Hkv, Tk, Dv]`
  let valueShape: Shape
  let keys: KeyValueRows
  let values: KeyValueRows
  /// Arguments and shapes for messages: those of the keys, of the values, and of what counts the sequences.
  let given: (keys: GivenArguments.Argument, values: GivenArguments.Argument, batch: GivenArguments.Argument)
}

extension KeyValues {
  /// Checks shapes of parts and pages against each other and finds the rows; what a pair of tensors has to be beside the queries and
  /// each other is checked with the queries, in the order of arguments.
  func sources() throws(AttentionError) -> KeyValueSources {
    switch storage {
    case .part(let part): try Self.source(part)
    case .parts(let parts): try Self.sources(parts)
    case .pages(let pages): try Self.sources(pages)
    case .pagedPart(let index):
      throw AttentionError("keyValues", "part \(index) to join is paged, expected parts of tensors")
    }
  }

  private static func source(_ part: Part) throws(AttentionError) -> KeyValueSources {
    let (keys, values) = (part.keys.shape, part.values.shape)
    guard keys.count == 4 else {
      throw AttentionError("keys", "shape \(keys) given, expected [B, Hkv, Tk, D]")
    }
    guard values.count == 4 else {
      throw AttentionError("values", "shape \(values) given, expected [B, Hkv, Tk, Dv]")
    }
    return KeyValueSources(
      keyShape: keys, valueShape: values, keys: .strided(StridedOperand(part.keys)),
      values: .strided(StridedOperand(part.values)),
      given: (("keys", keys), ("values", values), ("keys", keys)))
  }

  private static func sources(_ parts: [Part]) throws(AttentionError) -> KeyValueSources {
    guard let first = parts.first else {
      throw AttentionError("keyValues", "no parts to join given, expected at least one")
    }
    var count = 0
    var ends: [Int] = []
    for (index, part) in parts.enumerated() {
      try check(part, index, beside: first)
      let (end, overflow) = count.addingReportingOverflow(part.keys.shape[2])
      guard !overflow else { throw AttentionError("keyValues", "more positions given than an Int counts") }
      count = end
      ends.append(end)
    }
    var (keyShape, valueShape) = (first.keys.shape, first.values.shape)
    keyShape[2] = count
    valueShape[2] = count
    return KeyValueSources(
      keyShape: keyShape, valueShape: valueShape,
      keys: .joined(JoinedRows(parts: zip(parts, ends).map { (StridedOperand($0.keys), $1) })),
      values: .joined(JoinedRows(parts: zip(parts, ends).map { (StridedOperand($0.values), $1) })),
      given: (("keyValues", keyShape), ("keyValues", valueShape), ("keyValues", keyShape)))
  }

  private static func check(_ part: Part, _ index: Int, beside first: Part) throws(AttentionError) {
    let (keys, values) = (part.keys.shape, part.values.shape)
    func refuse(_ what: String, _ shape: Shape, _ expected: String) -> AttentionError {
      AttentionError("keyValues", "\(what) of part \(index) have shape \(shape), expected \(expected)")
    }
    guard keys.count == 4 else { throw refuse("keys", keys, "[B, Hkv, Tk, D]") }
    guard values.count == 4 else { throw refuse("values", values, "[B, Hkv, Tk, Dv]") }
    guard values[0] == keys[0], values[1] == keys[1], values[2] == keys[2] else {
      throw refuse("values", values, "[\(keys[0]), \(keys[1]), \(keys[2]), Dv] to match keys \(keys)")
    }
    for axis in [0, 1, 3] where keys[axis] != first.keys.shape[axis] {
      throw refuse("keys", keys, "B, Hkv and D of part 0, \(first.keys.shape)")
    }
    guard values[3] == first.values.shape[3] else {
      throw refuse("values", values, "the width of part 0, \(first.values.shape)")
    }
  }

  private static func sources(_ pages: Pages) throws(AttentionError) -> KeyValueSources {
    let (keys, values, table) = (pages.keys.shape, pages.values.shape, pages.tableShape)
    guard keys.count == 4 else {
      throw AttentionError("keyPages", "shape \(keys) given, expected [numBlocks, blockSize, Hkv, D]")
    }
    guard values.count == 4, values[0] == keys[0], values[1] == keys[1], values[2] == keys[2] else {
      throw AttentionError(
        "valuePages", "shape \(values) given, expected [numBlocks, blockSize, Hkv, Dv] as keys \(keys)")
    }
    guard table.count == 2 else {
      throw AttentionError("blockTable", "shape \(table) given, expected [B, blocks]")
    }
    let (count, overflow) = table[1].multipliedReportingOverflow(by: keys[1])
    guard !overflow else {
      throw AttentionError("blockTable", "shape \(table) given, more positions than an Int counts")
    }
    func rows(_ tensor: Tensor<Element>) -> PagedRows {
      PagedRows(
        pages: StridedOperand(tensor.permuted(0, 2, 1, 3)), pageSize: keys[1], table: pages.table,
        pagesPerSequence: table[1])
    }
    return KeyValueSources(
      keyShape: [table[0], keys[2], count, keys[3]], valueShape: [table[0], keys[2], count, values[3]],
      keys: .paged(rows(pages.keys)), values: .paged(rows(pages.values)),
      given: (("keyPages", keys), ("valuePages", values), ("blockTable", table)))
  }

  /// Throws where a page that a sequence uses does not exist.
  func checkPages(_ sequences: SequenceExtents) throws(AttentionError) {
    guard case .pages(let pages) = storage else { return }
    let (pageCount, pageSize, blocks) = (pages.keys.shape[0], pages.keys.shape[1], pages.tableShape[1])
    if pageSize == 0 { return }
    for sequence in 0..<pages.tableShape[0] {
      let used = sequences.of(sequence).keyCount
      for block in 0..<(used + pageSize - 1) / pageSize {
        let number = Int(pages.table[sequence * blocks + block])
        guard number >= 0, number < pageCount else {
          throw AttentionError(
            "blockTable", "page \(number) at [\(sequence), \(block)] given, expected 0..<\(pageCount)")
        }
      }
    }
  }
}
