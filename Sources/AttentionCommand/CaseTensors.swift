import Attention
import TensorFiles

// Tensors of a case file by their names, with the types that they may have.

extension SafetensorsFile {
  /// Throws where the file has a tensor that the operator does not know; results that the case must have are none of its inputs.
  func checkTensorNames(of op: CaseOperator) throws(CaseError) {
    for name in names where !op.tensorNames.contains(name) && !name.hasPrefix("expected.") {
      throw CaseError("tensor \(quoted(name))", "not an input of \(op.rawValue)")
    }
  }

  /// The type of a tensor that must be there.
  ///
  /// - Parameters:
  ///   - what: what it is, in words.
  ///   - other: a tensor that must be of the same type.
  func elementType(
    of name: String, _ what: String, asIn other: String? = nil
  ) throws(CaseError) -> ElementType {
    guard let type = self[name]?.elementType else { throw CaseError(name, "missing, \(what)") }
    if let other, let expected = self[other]?.elementType, type != expected {
      throw CaseError(name, "holds \(type), expected \(expected) as in \(other)")
    }
    return type
  }

  /// Integers of one axis, or of as many as asked for, of any width; nil where there is no such tensor.
  func integers(_ name: String, rank: Int = 1) throws -> Tensor<Int64>? {
    guard let entry = self[name] else { return nil }
    guard entry.elementType.isInteger, entry.shape.count == rank else {
      let axes = rank == 1 ? "one axis" : "\(rank) axes"
      throw CaseError(name, "\(entry.elementType) \(entry.shape), expected integers of \(axes)")
    }
    return try tensor(name, convertedTo: Int64.self)
  }

  /// The lengths between boundaries from 0 on that never decrease, `cu_seqlens_q` say; nil where there is no such tensor.
  ///
  /// - Parameter rows: how many rows there are, which the last boundary must not pass.
  func packedLengths(_ name: String, rows: Int) throws -> [Int]? {
    guard let boundaries = try integers(name)?.elements.map({ Int($0) }) else { return nil }
    guard boundaries.first == 0 else {
      throw CaseError(
        name, "\(boundaries.first.map { "\($0) as the first boundary" } ?? "no boundary"), expected 0 first")
    }
    for (index, (start, end)) in zip(boundaries, boundaries.dropFirst()).enumerated() where end < start {
      throw CaseError(name, "\(end) after \(start) at \(index + 1), expected numbers that never decrease")
    }
    if let last = boundaries.last, last > rows {
      throw CaseError(name, "sequences end at \(last), but there are \(rows) rows")
    }
    return zip(boundaries, boundaries.dropFirst()).map { $1 - $0 }
  }

  /// A number for each query head, of any floating-point type; nil where there is no such tensor.
  func numbers(_ name: String, heads: Int) throws -> [Double]? {
    guard let entry = self[name] else { return nil }
    guard entry.elementType.isFloatingPoint, entry.shape == [heads] else {
      throw CaseError(
        name,
        "\(entry.elementType) \(entry.shape), expected floating-point numbers [\(heads)], one a query head")
    }
    return try tensor(name, convertedTo: Double.self).elements
  }

  /// `alibi_slopes`, none steeper than attention takes.
  func alibiSlopes(heads: Int) throws -> [Double]? {
    let name = "alibi_slopes"
    let slopes = try numbers(name, heads: heads)
    // Beyond, distance times slope would come near what hides a key.
    if let wrong = slopes?.first(where: { !($0.magnitude <= 1e20) }) {
      throw CaseError(name, "a slope of \(wrong), expected at most 1e20 on either side of 0")
    }
    return slopes
  }

  /// `nonpad_kv_seqlen`, each at most `keyCount`.
  func keyLengths(batch: Int, keyCount: Int) throws -> [Int]? {
    let name = "nonpad_kv_seqlen"
    guard let entry = self[name] else { return nil }
    guard let numbers = try integers(name), numbers.shape == [batch] else {
      throw CaseError(
        name, "\(entry.elementType) \(entry.shape), expected integers [\(batch)], one a sequence")
    }
    let lengths = numbers.elements.map { Int($0) }
    if let wrong = lengths.first(where: { !(0...keyCount).contains($0) }) {
      throw CaseError(name, "a length of \(wrong), expected 0 to \(keyCount)")
    }
    return lengths
  }
}

extension ElementType {
  /// The type that attention works on; nil for types that it does not take.
  private var attentionElement: (any AttentionElement.Type)? {
    switch self {
    case .float64: Double.self
    case .float32: Float.self
    case .float16: Float16.self
    case .bfloat16: BFloat16.self
    case .int64, .int32, .int8, .uint8, .bool: nil
    }
  }

  /// Whether it is a type of whole numbers, truth values not among them.
  var isInteger: Bool {
    switch self {
    case .int64, .int32, .int8, .uint8: true
    case .float64, .float32, .float16, .bfloat16, .bool: false
    }
  }

  /// Whether it is a type that attention works on.
  var isFloatingPoint: Bool { attentionElement != nil }

  /// The type that attention works on.
  ///
  /// - Throws: ``CaseError`` that names the tensor whose type this is, where attention does not take it.
  func attentionElement(of name: String) throws(CaseError) -> any AttentionElement.Type {
    guard let type = attentionElement else {
      throw CaseError(name, "holds \(self), expected a floating-point type")
    }
    return type
  }
}
