/// The attributes of the operator `RotaryEmbedding`, read from text and checked. Names and defaults are those of ONNX.
package struct RotaryAttributes: Equatable {
  /// `interleaved`: pairs are neighbours, not `R/2` apart.
  package var isInterleaved = false
  /// `rotary_embedding_dim`: how many columns of a row are turned; nil for all, which files write as 0.
  package var rotaryDimension: Int?
  /// `num_heads`; nil where it is missing or 0.
  package var heads: Int?
  /// Metadata that is not known to be harmless and has no effect, in alphabetical order.
  package var ignoredNames: [String] = []

  /// Reads attributes by their names in a file.
  ///
  /// - Throws: ``CaseError`` for another operator, for a value that does not parse or is out of range, and for names that must be
  ///   mistakes.
  package init(_ metadata: [String: String]) throws(CaseError) {
    guard try CaseOperator(metadata) == .rotaryEmbedding else {
      throw CaseError("op", "\(quoted(metadata["op"] ?? "Attention")), expected RotaryEmbedding")
    }
    var reader = AttributeReader(metadata)
    let counts = 0...AttributeReader.largestInteger
    isInterleaved = try reader.flag("interleaved") ?? false
    rotaryDimension = try reader.integer("rotary_embedding_dim", in: counts)
    if rotaryDimension == 0 { rotaryDimension = nil }
    if let rotaryDimension, !rotaryDimension.isMultiple(of: 2) {
      throw CaseError("rotary_embedding_dim", "\(quoted("\(rotaryDimension)")), expected an even number")
    }
    heads = try reader.integer("num_heads", in: counts)
    if heads == 0 { heads = nil }
    ignoredNames = try reader.unusedNames(by: .rotaryEmbedding)
  }
}
