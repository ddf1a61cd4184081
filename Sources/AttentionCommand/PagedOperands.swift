import Attention

/// Keys and values in pages, as a case file has them.
struct PagedOperands<Element: AttentionElement> {
  /// `[numBlocks, blockSize, Hkv, D]`
  let keys: Tensor<Element>
  /// `[numBlocks, blockSize, Hkv, Dv]`
  let values: Tensor<Element>
  /// `[B, blocks]`
  let table: Tensor<Int32>

  /// `Tk`: whoever made this has checked that it fits an Int.
  var keyCount: Int { table.shape[1] * keys.shape[1] }

  /// As attention takes them.
  var keyValues: KeyValues<Element> { KeyValues(keyPages: keys, valuePages: values, blockTable: table) }

  /// Pages of keys, or of values, as one tensor `[B, Hkv, Tk, D]`; one copy. Pages past a sequence's length are not looked at,
  /// and zero in the result.
  ///
  /// - Parameters:
  ///   - pages: ``keys`` or ``values``.
  ///   - lengths: the keys in use of each sequence; all when nil.
  /// - Throws: ``CaseError`` where a page that is in use does not exist, or the result fits no memory.
  func gathered(_ pages: Tensor<Element>, lengths: [Int]?) throws(CaseError) -> Tensor<Element> {
    let (count, size) = (pages.shape[0], pages.shape[1])
    let shape: Shape = [table.shape[0], pages.shape[2], keyCount, pages.shape[3]]
    guard let elements = shape.checkedElementCount,
      !elements.multipliedReportingOverflow(by: MemoryLayout<Element>.stride).overflow,
      var result = Tensor<Element>.uninitialized(shape)
    else {
      throw CaseError("block_table", "asks for keys \(shape) in one piece, beyond this machine's memory")
    }
    let empty = Tensor<Element>.zeros([shape[1], size, shape[3]])
    try result.withMutableView { (view) throws(CaseError) in
      for sequence in 0..<shape[0] {
        let target = view.selected(axis: 0, sequence)
        for block in 0..<table.shape[1] {
          var page = empty
          if block * size < lengths?[sequence] ?? keyCount {
            let number = Int(table[sequence, block])
            guard (0..<count).contains(number) else {
              throw CaseError(
                "block_table", "page \(number) at [\(sequence), \(block)], expected 0..<\(count)")
            }
            page = pages.selected(axis: 0, number).permuted(1, 0, 2)
          }
          do {
            try target.sliced(axis: 1, block * size..<(block + 1) * size).assign(from: page)
          } catch {
            throw CaseError("block_table", "\(error)")
          }
        }
      }
    }
    return result
  }
}
