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

  /// Integers of one axis, or of as many as asked for, from int32 or int64; nil where there is no such tensor.
  func integers(_ name: String, rank: Int = 1) throws -> Tensor<Int64>? {
    guard let entry = self[name] else { return nil }
    guard [.int32, .int64].contains(entry.elementType), entry.shape.count == rank else {
      let axes = rank == 1 ? "one axis" : "\(rank) axes"
      throw CaseError(name, "\(entry.elementType) \(entry.shape), expected int32 or int64 of \(axes)")
    }
    return try tensor(name, convertedTo: Int64.self)
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

  /// `alibi_slopes`; attention keeps them in Float at least.
  func alibiSlopes(heads: Int) throws -> [Double]? {
    let name = "alibi_slopes"
    let slopes = try numbers(name, heads: heads)
    if let wrong = slopes?.first(where: { !Float($0).isFinite }) {
      throw CaseError(name, "a slope of \(wrong), expected finite numbers of float32")
    }
    return slopes
  }

  /// `nonpad_kv_seqlen`, each at most `keyCount`.
  func keyLengths(batch: Int, keyCount: Int) throws -> [Int]? {
    let name = "nonpad_kv_seqlen"
    guard let entry = self[name] else { return nil }
    guard entry.elementType == .int64, entry.shape == [batch] else {
      throw CaseError(name, "\(entry.elementType) \(entry.shape), expected int64 [\(batch)]")
    }
    let lengths = try tensor(name, as: Int64.self).elements.map { Int($0) }
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
