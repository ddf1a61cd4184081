import ArgumentParser

/// The flags that override a file's attributes, by the names that the attributes have there.
struct AttributeFlags: ParsableArguments {
  @Option(help: "The operator. (default: Attention)")
  var op: CaseOperator?

  @Flag(inversion: .prefixedNo, help: "Whether a query sees the keys up to its own position only.")
  var isCausal: Bool?

  // Values may be negative, so the next word is a value whatever it begins with.
  @Option(parsing: .unconditional, help: "What scores are multiplied by. (default: 1/sqrt(D))")
  var scale: DecimalText?

  @Option(parsing: .unconditional, help: "The bound that scores approach; 0 for none.")
  var softcap: DecimalText?

  @Option(parsing: .unconditional, help: "Keys before its own position that a query sees; -1 for all.")
  var leftWindowSize: IntegerText?

  @Option(parsing: .unconditional, help: "Keys after its own position that a query sees; -1 for all.")
  var rightWindowSize: IntegerText?

  @Option(
    help: "Where queries stand among the keys. (default: top_left, or as past or lengths say)")
  var causalAlignment: CausalAlignment?

  @Option(parsing: .unconditional, help: "Heads of a three-axis Q.")
  var qNumHeads: IntegerText?

  @Option(parsing: .unconditional, help: "Heads of a three-axis K and V.")
  var kvNumHeads: IntegerText?

  @Option(
    parsing: .unconditional,
    help: "Also write scores: 0 scaled, 1 after the softcap, 2 after masks and biases, 3 weights.")
  var qkMatmulOutputMode: IntegerText?

  @Option(
    parsing: .unconditional,
    help: "The least precision of scores and sums: 1 float, 10 float16, 11 double, 16 bfloat16.")
  var softmaxPrecision: IntegerText?

  @Flag(inversion: .prefixedNo, help: "Whether RotaryEmbedding turns pairs of neighbours.")
  var interleaved: Bool?

  @Option(parsing: .unconditional, help: "Columns that RotaryEmbedding turns; 0 for all.")
  var rotaryEmbeddingDim: IntegerText?

  @Option(parsing: .unconditional, help: "Heads of a three-axis input of RotaryEmbedding.")
  var numHeads: IntegerText?

  /// What the flags say, by the names of attributes.
  var overrides: [String: String] {
    let values: [String: String?] = [
      "op": op?.rawValue,
      "is_causal": isCausal.map { $0 ? "1" : "0" },
      "scale": scale?.text,
      "softcap": softcap?.text,
      "left_window_size": leftWindowSize?.text,
      "right_window_size": rightWindowSize?.text,
      "causal_alignment": causalAlignment?.rawValue,
      "q_num_heads": qNumHeads?.text,
      "kv_num_heads": kvNumHeads?.text,
      "qk_matmul_output_mode": qkMatmulOutputMode?.text,
      "softmax_precision": softmaxPrecision?.text,
      "interleaved": interleaved.map { $0 ? "1" : "0" },
      "rotary_embedding_dim": rotaryEmbeddingDim?.text,
      "num_heads": numHeads?.text,
    ]
    return values.compactMapValues { $0 }
  }

  /// The flag of an attribute.
  static func flag(_ attribute: String) -> String { "--" + attribute.replacing("_", with: "-") }

  /// Checks each value by itself: the operator that they are for may stand in the file.
  func validate() throws {
    let overrides = overrides
    do throws(CaseError) {
      for op in CaseOperator.allCases {
        var metadata = overrides.filter { op.attributeNames.contains($0.key) }
        metadata["op"] = op.rawValue
        switch op {
        case .attention: _ = try CaseAttributes(metadata)
        case .rotaryEmbedding: _ = try RotaryAttributes(metadata)
        }
      }
    } catch {
      throw ValidationError("\(Self.flag(error.name)): \(error.reason)")
    }
  }
}

extension CaseOperator: ExpressibleByArgument {}
extension CausalAlignment: ExpressibleByArgument {}
