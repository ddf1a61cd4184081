/// The keys and values of a call, wherever they lie.
///
///     KeyValues(keys: k, values: v)                                      // [B, Hkv, Tk, D] and [B, Hkv, Tk, Dv]
///     KeyValues(joining: [prefix, suffix])                               // as if concatenated, without a copy
///     KeyValues(keyPages: kp, valuePages: vp, blockTable: table)         // a paged cache
///
/// A value of tensors: it shares their memory and copies nothing.
public struct KeyValues<Element: AttentionElement>: Sendable {
  let storage: Storage

  enum Storage: Sendable {
    case parts([Part])
    case pages(Pages)
  }

  struct Part: Sendable {
    let keys: Tensor<Element>
    let values: Tensor<Element>
  }

  struct Pages: Sendable {
    let keys: Tensor<Element>
    let values: Tensor<Element>
    let table: Tensor<Int32>
  }

  /// Keys `[B, Hkv, Tk, D]` and values `[B, Hkv, Tk, Dv]` in any strides.
  public init(keys: Tensor<Element>, values: Tensor<Element>) {
    storage = .parts([Part(keys: keys, values: values)])
  }

  /// Parts that follow each other along the keys' axis, read where they lie: attention over them is attention over their
  /// concatenation. A prefix that all sequences share is `prefix.broadcast(to: [B, Hkv, T, D])`, which copies nothing.
  ///
  /// Tiles across the border of two parts are gathered in scratch; all others are read in place where one tensor's would be.
  /// - Parameter parts: one at least, of equal `B`, `Hkv`, `D` and `Dv`, none of them paged: attention throws otherwise.
  public init(joining parts: [KeyValues]) {
    var joined: [Part] = []
    for part in parts {
      guard case .parts(let more) = part.storage else {
        // Refused by the check of shapes, which every call makes.
        joined = []
        break
      }
      joined += more
    }
    storage = .parts(joined)
  }

  /// A paged cache: position `j` of sequence `b` is row `j % blockSize` of page `blockTable[b, j / blockSize]`.
  ///
  /// `Tk` is `blocks · blockSize`; a mask's ``AttentionMask/keyLengths(_:)`` say how many are in use. Tiles are gathered in scratch,
  /// 256 or 512 keys at a time.
  /// - Parameters:
  ///   - keyPages: `[numBlocks, blockSize, Hkv, D]`, as vLLM lays them out.
  ///   - valuePages: `[numBlocks, blockSize, Hkv, Dv]`.
  ///   - blockTable: `[B, blocks]`; entries past a sequence's length are never looked at.
  public init(keyPages: Tensor<Element>, valuePages: Tensor<Element>, blockTable: Tensor<Int32>) {
    storage = .pages(Pages(keys: keyPages, values: valuePages, table: blockTable))
  }
}

/// Checked keys and values: their shapes as one tensor each, and where their rows lie.
struct KeyValueSources {
  /// `[B, Hkv, Tk, D]`
  let keyShape: Shape
  /// `[B, Hkv, Tk, Dv]`
  let valueShape: Shape
  let keys: any RowSource
  let values: any RowSource
}

extension KeyValues {
  /// Checks shapes against each other and finds the rows; queries are not looked at.
  func sources() throws(AttentionError) -> KeyValueSources {
    switch storage {
    case .parts(let parts): try Self.sources(parts)
    case .pages(let pages): try Self.sources(pages)
    }
  }

  private static func sources(_ parts: [Part]) throws(AttentionError) -> KeyValueSources {
    guard let first = parts.first else {
      throw AttentionError(
        "keyValues", "no parts to join given, or a paged one, expected one part of tensors at least")
    }
    if parts.count == 1 {
      try checkPair(first.keys.shape, first.values.shape, "")
      return KeyValueSources(
        keyShape: first.keys.shape, valueShape: first.values.shape, keys: StridedOperand(first.keys),
        values: StridedOperand(first.values))
    }
    var count = 0
    var ends: [Int] = []
    for (index, part) in parts.enumerated() {
      let place = " of part \(index)"
      try checkPair(part.keys.shape, part.values.shape, place)
      for axis in [0, 1, 3] where part.keys.shape[axis] != first.keys.shape[axis] {
        throw AttentionError(
          "keys\(place)", "shape \(part.keys.shape) given beside \(first.keys.shape) of part 0")
      }
      guard part.values.shape[3] == first.values.shape[3] else {
        throw AttentionError(
          "values\(place)", "shape \(part.values.shape) given beside \(first.values.shape) of part 0")
      }
      let (end, overflow) = count.addingReportingOverflow(part.keys.shape[2])
      guard !overflow else { throw AttentionError("keys\(place)", "more positions than an Int counts") }
      count = end
      ends.append(end)
    }
    var (keyShape, valueShape) = (first.keys.shape, first.values.shape)
    keyShape[2] = count
    valueShape[2] = count
    return KeyValueSources(
      keyShape: keyShape, valueShape: valueShape,
      keys: JoinedRows(parts: zip(parts, ends).map { (StridedOperand($0.keys), $1) }),
      values: JoinedRows(parts: zip(parts, ends).map { (StridedOperand($0.values), $1) }))
  }

  /// Throws unless `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]` are given.
  private static func checkPair(_ keys: Shape, _ values: Shape, _ place: String) throws(AttentionError) {
    guard keys.count == 4 else {
      throw AttentionError("keys\(place)", "shape \(keys) given, expected [B, Hkv, Tk, D]")
    }
    guard values.count == 4 else {
      throw AttentionError("values\(place)", "shape \(values) given, expected [B, Hkv, Tk, Dv]")
    }
    // What a single pair has to be beside queries and each other is checked with the queries, in the order of arguments.
    guard place.isEmpty || (values[0] == keys[0] && values[1] == keys[1] && values[2] == keys[2]) else {
      throw AttentionError(
        "values\(place)",
        "shape \(values) given, expected [\(keys[0]), \(keys[1]), \(keys[2]), Dv] to match keys \(keys)")
    }
  }

  private static func sources(_ pages: Pages) throws(AttentionError) -> KeyValueSources {
    let (keys, values, table) = (pages.keys.shape, pages.values.shape, pages.table.shape)
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
    let numbers = pages.table.elements
    func rows(_ tensor: Tensor<Element>) -> PagedRows {
      PagedRows(
        pages: StridedOperand(tensor.permuted(0, 2, 1, 3)), pageSize: keys[1], table: numbers,
        pagesPerSequence: table[1])
    }
    return KeyValueSources(
      keyShape: [table[0], keys[2], count, keys[3]], valueShape: [table[0], keys[2], count, values[3]],
      keys: rows(pages.keys), values: rows(pages.values))
  }

  /// Throws where a page that a sequence uses does not exist.
  func checkPages(_ sequences: SequenceExtents) throws(AttentionError) {
    guard case .pages(let pages) = storage else { return }
    let (pageCount, pageSize) = (pages.keys.shape[0], pages.keys.shape[1])
    for sequence in 0..<pages.table.shape[0] {
      let used = sequences.of(sequence).keyCount
      for block in 0..<(pageSize == 0 ? 0 : (used + pageSize - 1) / pageSize) {
        let number = Int(pages.table[sequence, block])
        guard number >= 0, number < pageCount else {
          throw AttentionError(
            "blockTable", "page \(number) at [\(sequence), \(block)] given, expected 0..<\(pageCount)")
        }
      }
    }
  }
}
