import Attention
import TensorFiles

/// The tensors that hold a case's keys and values, and what goes with each.
enum RowTensor: String, CaseIterable {
  case keys = "K"
  case values = "V"

  /// Its name in a file.
  var name: String { rawValue }

  /// The tensor of its scales, which integers need.
  var scales: String {
    switch self {
    case .keys: "k_scale"
    case .values: "v_scale"
    }
  }

  /// The tensor of what comes before it.
  var past: String {
    switch self {
    case .keys: "past_key"
    case .values: "past_value"
    }
  }

  /// What it holds, in words.
  var what: String {
    switch self {
    case .keys: "the keys of the case"
    case .values: "the values of the case"
    }
  }
}

/// Keys or values of a case as they are stored: numbers of the queries' type, or integers with a scale for each row.
enum CaseRows<Element: AttentionElement>: KeyValueTensor {
  case numbers(Tensor<Element>)
  case integers(QuantizedTensor)

  var shape: Shape {
    switch self {
    case .numbers(let tensor): tensor.shape
    case .integers(let tensor): tensor.integers.shape
    }
  }

  var stored: StoredTensor {
    switch self {
    case .numbers(let tensor): tensor.stored
    case .integers(let tensor): tensor.stored
    }
  }
}

extension SafetensorsFile {
  /// Checks that keys or values are of the queries' type and without scales, or Int8 with them.
  ///
  /// - Throws: ``CaseError`` for another type, or for scales that are missing, of no floating-point type, or too many.
  func checkTypes(of rows: RowTensor) throws(CaseError) {
    let type = try elementType(of: rows.name, rows.what)
    let scales = self[rows.scales]?.elementType
    if type == .int8 {
      guard let scales else { throw CaseError(rows.scales, "missing, needed beside \(rows.name) of int8") }
      guard scales.isFloatingPoint else {
        throw CaseError(rows.scales, "holds \(scales), expected a floating-point type")
      }
      return
    }
    let expected = try elementType(of: "Q", "the queries of the case")
    guard type == expected else {
      throw CaseError(
        rows.name, "holds \(type), expected \(expected) as in Q, or int8 with a \(rows.scales)")
    }
    guard scales == nil else {
      throw CaseError(rows.scales, "given beside \(rows.name) of \(type), expected int8 there, or no scales")
    }
  }
}
