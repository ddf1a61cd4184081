import Attention

/// How a problem's keys and values are stored, where they lie, and how its queries are arranged.
struct ProblemStorage {
  enum Source: CaseIterable { case tensors, packed, pages, joined }

  let problem: Problem
  let keys: ProblemRows
  let values: ProblemRows
  let source: Source
  let packsQueries: Bool
  private let isPermuted: Bool
  private let pageSize: Int
  private let cut: Int

  init(_ input: inout InputBytes, _ problem: Problem, isDouble: Bool) {
    self.problem = problem
    let types = ProblemRows.Numbers.allCases.dropLast(isDouble ? 0 : 1)
    func rows(_ role: Int, _ columns: Int, _ type: Int) -> ProblemRows {
      let shape: Shape = [problem.batch, problem.keyHeads, problem.keys, columns]
      return ProblemRows(
        problem.elements(role, shape.reduce(1, *)), shape: shape, as: types[type % types.count])
    }
    keys = rows(1, problem.depth, input.int(0...19))
    values = rows(2, problem.width, input.int(0...19))
    source = input.pick(Source.allCases)
    packsQueries = input.chance(3)
    isPermuted = input.chance(4)
    pageSize = input.pick([1, 3, 16, 64])
    cut = Int(input.byte()) % (problem.keys + 1)
  }

  /// Keys and values as users hand them over; what lies past lengths is NaN.
  func keyValues() throws(AttentionError) -> KeyValues {
    let (B, Tk, lengths) = (problem.batch, problem.keys, problem.keyLengths)
    switch source {
    case .tensors: return try part(0..<Tk)
    case .joined: return KeyValues(joining: [try part(0..<cut), try part(cut..<Tk)])
    case .packed:
      var places: [Int?] = []
      for b in 0..<B { for j in 0..<lengths[b] { places += heads(b, j) } }
      places += [Int?](repeating: nil, count: problem.keyHeads)
      let axes = [lengths.reduce(1, +), problem.keyHeads]
      func made(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
        KeyValues(packedKeys: k, values: v, lengths: lengths)
      }
      return made(try keys.tensor(axes, places), try values.tensor(axes, places))
    case .pages: return try pages()
    }
  }

  /// Some positions of all sequences, in one tensor.
  func part(_ range: Range<Int>) throws(AttentionError) -> KeyValues {
    let (B, Hkv) = (problem.batch, problem.keyHeads)
    let lengths = problem.keyLengths.map { min(max($0 - range.lowerBound, 0), range.count) }
    var places: [Int?] = []
    for b in 0..<B {
      if isPermuted {
        for j in range { places += heads(b, j) }
      } else {
        for h in 0..<Hkv { for j in range { places.append(heads(b, j)[h]) } }
      }
    }
    let axes = isPermuted ? [B, range.count, Hkv] : [B, Hkv, range.count]
    func made(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
      KeyValues(keys: k, values: v, lengths: lengths)
    }
    return made(
      inOrder(try keys.tensor(axes, places)), inOrder(try values.tensor(axes, places)))
  }

  private func pages() throws(AttentionError) -> KeyValues {
    let (B, lengths) = (problem.batch, problem.keyLengths)
    let columns = (problem.keys + pageSize - 1) / pageSize
    // Page 0 is nobody's; those of sequences lie between each other, the last one first.
    func page(_ b: Int, _ index: Int) -> Int { 1 + (columns - 1 - index) * B + b }
    var places = [Int?](repeating: nil, count: (1 + columns * B) * pageSize * problem.keyHeads)
    var table = [Int32](repeating: -7, count: B * columns)
    for b in 0..<B {
      for j in 0..<lengths[b] {
        table[b * columns + j / pageSize] = Int32(page(b, j / pageSize))
        let row = (page(b, j / pageSize) * pageSize + j % pageSize) * problem.keyHeads
        places.replaceSubrange(row..<row + problem.keyHeads, with: heads(b, j))
      }
    }
    let axes = [1 + columns * B, pageSize, problem.keyHeads]
    let pageTable = try Tensor(table, shape: [B, columns])
    func made(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
      KeyValues(keyPages: k, valuePages: v, pageTable: pageTable, lengths: lengths)
    }
    return made(try keys.tensor(axes, places), try values.tensor(axes, places))
  }

  /// The rows of all heads at a position; nil past the sequence's length.
  private func heads(_ b: Int, _ j: Int) -> [Int?] {
    (0..<problem.keyHeads).map {
      j < problem.keyLengths[b] ? (b * problem.keyHeads + $0) * problem.keys + j : nil
    }
  }

  /// `[B, Hkv, …]` of a tensor whose memory may have heads beside each other.
  private func inOrder(_ tensor: any KeyValueTensor) -> any KeyValueTensor {
    guard isPermuted else { return tensor }
    switch tensor {
    case let tensor as Tensor<Float>: return tensor.permuted(0, 2, 1, 3)
    case let tensor as Tensor<BFloat16>: return tensor.permuted(0, 2, 1, 3)
    case let tensor as Tensor<Float16>: return tensor.permuted(0, 2, 1, 3)
    case let tensor as Tensor<Double>: return tensor.permuted(0, 2, 1, 3)
    case let tensor as QuantizedTensor:
      return QuantizedTensor(
        integers: tensor.integers.permuted(0, 2, 1, 3), scales: tensor.scales.permuted(0, 2, 1))
    default: preconditionFailure("rows of \(type(of: tensor))")
    }
  }
}
