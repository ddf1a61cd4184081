import Attention

/// The attributes of the operator `Attention`, read from text and checked: from a file's metadata, or from flags.
///
/// Names and defaults are those of ONNX; `causal_alignment` is an addition.
package struct CaseAttributes: Equatable {
  /// `is_causal`
  package var isCausal = false
  /// `scale`; nil for `1/√D`.
  package var scale: Double?
  /// `softcap`; nil for none, which files write as 0.
  package var softcap: Double?
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
  /// `qk_matmul_output_mode`: the scores that are a result too. nil where the attribute is missing, and they are none.
  package var scoreStage: ScoreStage?
  /// `softmax_precision`; types narrower than what scores are kept in anyway ask for nothing.
  package var softmaxPrecision = SoftmaxPrecision.accumulator
  /// Metadata that is not known to be harmless and has no effect, in alphabetical order.
  package var ignoredNames: [String] = []

  /// Reads attributes by their names in a file.
  ///
  /// - Throws: ``CaseError`` for another operator, for a value that does not parse or is out of range, and for names that must be
  ///   mistakes.
  package init(_ metadata: [String: String]) throws(CaseError) {
    guard try CaseOperator(metadata) == .attention else {
      throw CaseError("op", "\(quoted(metadata["op"] ?? "")), expected Attention")
    }
    var reader = AttributeReader(metadata)
    let heads = 1...AttributeReader.largestInteger
    isCausal = try reader.flag("is_causal") ?? false
    scale = try reader.number("scale")
    softcap = try reader.number("softcap", atLeast: 0)
    if softcap == 0 { softcap = nil }
    leftWindow = try Self.windowSize("left_window_size", &reader)
    rightWindow = try Self.windowSize("right_window_size", &reader)
    alignment = try reader.choice("causal_alignment")
    queryHeads = try reader.integer("q_num_heads", in: heads)
    keyHeads = try reader.integer("kv_num_heads", in: heads)
    scoreStage = try reader.integer("qk_matmul_output_mode", in: 0...3).flatMap(ScoreStage.init)
    softmaxPrecision = try reader.code("softmax_precision", Self.precisions) ?? .accumulator
    ignoredNames = try reader.unusedNames(by: .attention)
  }

  /// ONNX's codes of floating-point types. What computes in Float is at least as precise as the half types ask for.
  private static var precisions: KeyValuePairs<Int, (name: String, meaning: SoftmaxPrecision)> {
    [
      1: ("float", .accumulator), 10: ("float16", .accumulator), 11: ("double", .float64),
      16: ("bfloat16", .accumulator),
    ]
  }

  private static func windowSize(
    _ name: String, _ reader: inout AttributeReader
  ) throws(CaseError) -> Int? {
    let size = try reader.integer(name, in: -1...AttributeReader.largestInteger)
    return size == -1 ? nil : size
  }
}

/// Where query 0 stands among the keys, in a file's words.
package enum CausalAlignment: String, CaseIterable, Sendable {
  /// On key 0.
  case topLeft = "top_left"
  /// So that the last query stands on the last key.
  case bottomRight = "bottom_right"
}
