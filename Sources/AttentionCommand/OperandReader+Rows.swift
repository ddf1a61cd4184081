import Attention
import TensorFiles

// Keys and values, whatever they are stored in.

extension OperandReader {
  /// Keys or values as they lie in the file, with as many axes as the layout asks for.
  func rows(of rows: RowTensor, _ rank: Int, _ expected: String) throws -> CaseRows<Element> {
    guard isQuantized(rows) else { return .numbers(try axes(of: rows.name, rank, expected)) }
    let integers = try axes(of: rows.name, rank, expected, as: Int8.self)
    let scales = try scales(of: rows, Shape(integers.shape.dropLast()))
    return .integers(QuantizedTensor(integers: integers, scales: scales))
  }

  /// Keys or values with their heads as an axis, `[B, Hkv, T, D]`, whose scales lie as the rows do: `[B, Hkv, T]`, or `[B, T, Hkv]`
  /// beside `[B, T, Hkv·D]`.
  func headRows(of rows: RowTensor, _ isMerged: Bool) throws -> CaseRows<Element> {
    let (heads, attribute) = (attributes.keyHeads, "kv_num_heads")
    guard isQuantized(rows) else {
      return .numbers(try self.heads(of: rows.name, heads, attribute, isMerged))
    }
    let integers = try self.heads(of: rows.name, heads, attribute, isMerged, as: Int8.self)
    let shape = integers.shape
    let scales =
      isMerged
      ? try scales(of: rows, [shape[0], shape[2], shape[1]]).permuted(0, 2, 1)
      : try scales(of: rows, Shape(shape.dropLast()))
    return .integers(QuantizedTensor(integers: integers, scales: scales))
  }

  private func isQuantized(_ rows: RowTensor) -> Bool { file[rows.name]?.elementType == .int8 }

  /// A scale for each row, as Float: a view where the file has that.
  private func scales(of rows: RowTensor, _ expected: Shape) throws -> Tensor<Float> {
    let name = rows.scales
    guard let entry = file[name] else { throw CaseError(name, "missing, needed beside \(rows.name) of int8") }
    guard entry.shape == expected else {
      throw CaseError(
        name,
        "shape \(entry.shape), expected \(expected), one a row of \(rows.name) \(file[rows.name]?.shape ?? [])"
      )
    }
    if entry.elementType == .float32 { return try file.tensor(name) }
    try MemoryNeed.check([
      MemoryNeed(name, "as float32", entry.shape, bytesPerElement: MemoryLayout<Float>.stride)
    ])
    let scales = try file.tensor(name, convertedTo: Float.self)
    if entry.elementType == .float64 {
      // What is infinite in the file stays so; a number that becomes infinite would change the result.
      let wide = try file.tensor(name, as: Double.self)
      let wrong = wide.withUnsafePointer {
        UnsafeBufferPointer(start: $0, count: wide.count).first { $0.isFinite && !Float($0).isFinite }
      }
      if let wrong {
        throw CaseError(name, "a scale of \(wrong), expected numbers that float32 holds")
      }
    }
    return scales
  }
}
