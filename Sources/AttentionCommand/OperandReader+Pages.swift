import Attention
import TensorFiles

extension OperandReader {
  /// `Q` as for ``padded()``; `K` and `V` as `[numBlocks, blockSize, Hkv, D]`.
  func paged() throws -> CaseOperands<Element> {
    let isMerged = file["Q"]?.shape.count == 3
    let queries: Tensor<Element> = try heads(of: "Q", attributes.queryHeads, "q_num_heads", isMerged)
    let pages = try RowTensor.allCases.map { rows in
      let tensor = try self.rows(of: rows, 4, "[numBlocks, blockSize, Hkv, D] for a block_table")
      try check(attributes.keyHeads, "kv_num_heads", is: tensor.shape[2], of: rows.name, tensor.shape)
      return tensor
    }
    let (table, capacity) = try blockTable(batch: queries.shape[0], pages: pages[0].shape)
    let lengths = try file.keyLengths(batch: queries.shape[0], keyCount: capacity)
    let longest = lengths.map { $0.max() ?? 0 } ?? capacity
    var operands = CaseOperands(
      Queries(queries), queries, (queries.shape[0], queries.shape[2]),
      try keyValues(pages[0], pages[1], table, lengths: lengths, capacity: capacity), keyCount: longest,
      width: pages[1].shape[3])
    operands.keyCapacity = capacity
    operands.keyLengths = lengths
    return operands
  }

  /// Pages as attention takes them; without keys, empty tensors, since there may be any number of sequences without a page.
  private func keyValues(
    _ keys: CaseRows<Element>, _ values: CaseRows<Element>, _ table: Tensor<Int32>, lengths: [Int]?,
    capacity: Int
  ) throws -> KeyValues {
    let (k, v, batch) = (keys.shape, values.shape, table.shape[0])
    guard capacity == 0, lengths == nil, v[0] == k[0], v[1] == k[1], v[2] == k[2] else {
      return KeyValues(
        keyPages: keys, valuePages: values, pageTable: table,
        lengths: lengths ?? [Int](repeating: capacity, count: batch))
    }
    func none(_ shape: Shape) throws -> Tensor<Element> {
      try Tensor.zeros([1, shape[2], 0, shape[3]]).broadcast(to: [batch, shape[2], 0, shape[3]])
    }
    return KeyValues(keys: try none(k), values: try none(v))
  }

  /// `block_table` `[B, blocks]` and how many keys it can name for a sequence; the entries that a sequence uses checked and all others −1: nobody looks at those, whatever the file
  /// has there.
  ///
  /// - Parameters:
  ///   - batch: `B`
  ///   - pages: `[numBlocks, blockSize, Hkv, D]`
  private func blockTable(batch: Int, pages: Shape) throws -> (table: Tensor<Int32>, keyCount: Int) {
    let name = "block_table"
    guard let numbers = try file.integers(name, rank: 2) else { throw CaseError(name, "missing") }
    let (shape, size) = (numbers.shape, pages[1])
    guard shape[0] == batch else {
      throw CaseError(name, "shape \(shape), expected [\(batch), blocks], a row for each sequence of Q")
    }
    let (keyCount, overflow) = shape[1].multipliedReportingOverflow(by: size)
    guard !overflow, keyCount <= mostKeys else {
      throw CaseError(
        "block_table × block size",
        "\(shape[1]) blocks of \(size) keys, expected at most \(mostKeys) keys a sequence")
    }
    let lengths = try file.keyLengths(batch: batch, keyCount: keyCount)
    var table = [Int32](repeating: -1, count: numbers.elements.count)
    for (index, number) in numbers.elements.enumerated() {
      let (sequence, block) = index.quotientAndRemainder(dividingBy: shape[1])
      guard block * size < lengths?[sequence] ?? keyCount else { continue }
      guard (0..<Int64(pages[0])).contains(number), let page = Int32(exactly: number) else {
        throw CaseError(name, "page \(number) at [\(sequence), \(block)], expected 0..<\(pages[0])")
      }
      table[index] = page
    }
    return (try Tensor(table, shape: shape), keyCount)
  }
}
