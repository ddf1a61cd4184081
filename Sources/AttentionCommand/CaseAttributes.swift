/// The attributes of the operator `Attention`, read from text and checked: from a file's metadata, or from flags.
///
/// Names and defaults are those of ONNX; `causal_alignment` is an addition. Nothing that could change the result is
/// passed over in silence:
/// * an attribute of ONNX that is not supported is an error, unless its value is the default and asks for nothing;
/// * a name that looks like a misspelt attribute is an error;
/// * any other metadata is listed in ``ignoredNames``, but for the few names that case files carry for their readers.
package struct CaseAttributes: Equatable {
  /// `is_causal`
  package var isCausal = false
  /// `scale`; nil for `1/√D`.
  package var scale: Double?
  /// `left_window_size`; nil for unbounded, which files write as −1.
  package var leftWindow: Int?
  /// `right_window_size`; nil for unbounded, which files write as −1.
  package var rightWindow: Int?
  /// `causal_alignment`; nil for the rule of ONNX.
  package var alignment: CausalAlignment?
  /// `q_num_heads`
  package var queryHeads: Int?
  /// `kv_num_heads`
  package var keyHeads: Int?
  /// Metadata that is not known to be harmless and has no effect, in alphabetical order.
  package var ignoredNames: [String] = []

  /// Reads attributes by their names in a file.
  ///
  /// - Throws: ``CaseError`` for a value that does not parse or is out of range, and for attributes that are not supported.
  package init(_ metadata: [String: String]) throws(CaseError) {
    try Self.checkOperator(metadata["op"])
    for (name, text) in metadata.sorted(by: { $0.key < $1.key }) {
      switch name {
      case "is_causal": isCausal = try Self.integer(name, text, in: 0...1) == 1
      case "scale": scale = try Self.number(name, text)
      case "left_window_size": leftWindow = try Self.windowSize(name, text)
      case "right_window_size": rightWindow = try Self.windowSize(name, text)
      case "causal_alignment": alignment = try Self.causalAlignment(name, text)
      case "q_num_heads": queryHeads = try Self.integer(name, text, in: 1...Self.largestInteger)
      case "kv_num_heads": keyHeads = try Self.integer(name, text, in: 1...Self.largestInteger)
      case "softcap":
        if try Self.number(name, text) != 0 { throw CaseError(name, "\(text) is not supported yet, only 0") }
      case "qk_matmul_output_mode":
        // 0 is the default, and whoever writes all attributes writes it: it cannot mean that the output is wanted.
        if try Self.integer(name, text, in: 0...3) != 0 {
          throw CaseError(name, "the output of mode \(text) is not supported yet")
        }
      case "softmax_precision": throw CaseError(name, "a choice of precision is not supported yet")
      case _ where Self.informativeNames.contains(name): break
      default:
        if let meant = Self.attribute(resembling: name) {
          throw CaseError("metadata \(quoted(name))", "not an attribute of Attention, did you mean \(meant)?")
        }
        ignoredNames.append(name)
      }
    }
  }

  /// Metadata about a file that says nothing about the computation.
  private static let informativeNames: Set = [
    "op", "case", "opset", "source", "tokens", "description", "comment", "author", "license", "format",
  ]

  /// Where a misspelling would change the result.
  private static let attributeNames = [
    "is_causal", "scale", "softcap", "left_window_size", "right_window_size", "causal_alignment",
    "q_num_heads",
    "kv_num_heads", "qk_matmul_output_mode", "softmax_precision",
  ]

  // Far beyond any length, and sums of a few such numbers still fit an Int.
  private static let largestInteger = Int(Int32.max)
}

/// Where query 0 stands among the keys, in a file's words.
package enum CausalAlignment: String, CaseIterable {
  /// On key 0.
  case topLeft = "top_left"
  /// So that the last query stands on the last key.
  case bottomRight = "bottom_right"
}

// MARK: - Values

extension CaseAttributes {
  private static func checkOperator(_ name: String?) throws(CaseError) {
    switch name {
    case nil, "Attention": return
    case "RotaryEmbedding": throw CaseError("op", "RotaryEmbedding is not supported yet, only Attention")
    case .some(let name): throw CaseError("op", "\(quoted(name)), expected Attention")
    }
  }

  private static func integer(
    _ name: String, _ text: String, in range: ClosedRange<Int>
  ) throws(CaseError) -> Int {
    guard let value = Int(text), range.contains(value) else {
      throw CaseError(
        name, "\(quoted(text)), expected an integer from \(range.lowerBound) to \(range.upperBound)")
    }
    return value
  }

  private static func number(_ name: String, _ text: String) throws(CaseError) -> Double {
    guard let value = Double(text), value.isFinite else {
      throw CaseError(name, "\(quoted(text)), expected a finite number")
    }
    return value
  }

  private static func windowSize(_ name: String, _ text: String) throws(CaseError) -> Int? {
    let size = try integer(name, text, in: -1...largestInteger)
    return size == -1 ? nil : size
  }

  private static func causalAlignment(_ name: String, _ text: String) throws(CaseError) -> CausalAlignment {
    guard let alignment = CausalAlignment(rawValue: text) else {
      let choices = CausalAlignment.allCases.map(\.rawValue).joined(separator: " or ")
      throw CaseError(name, "\(quoted(text)), expected \(choices)")
    }
    return alignment
  }
}

// MARK: - Misspellings

extension CaseAttributes {
  /// The attribute that a name is probably meant to be: the same letters in another style, or a slip or two away.
  private static func attribute(resembling name: String) -> String? {
    let letters = lettersOnly(name)
    return attributeNames.first { attribute in
      let expected = lettersOnly(attribute)
      let slips = expected.count < 8 ? 1 : 2
      return abs(letters.count - expected.count) <= slips && distance(letters, expected) <= slips
    }
  }

  private static func lettersOnly(_ name: String) -> [Character] {
    name.lowercased().filter { $0 != "_" && $0 != "-" && $0 != " " }.map { $0 }
  }

  /// The least number of characters to insert, delete or replace between two texts (Levenshtein).
  private static func distance(_ left: [Character], _ right: [Character]) -> Int {
    var row = Array(0...right.count)
    for (i, a) in left.enumerated() {
      var diagonal = row[0]
      row[0] = i + 1
      for (j, b) in right.enumerated() {
        let replaced = diagonal + (a == b ? 0 : 1)
        diagonal = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, diagonal + 1)
      }
    }
    return row[right.count]
  }
}
