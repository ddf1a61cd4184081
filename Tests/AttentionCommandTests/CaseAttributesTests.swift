import Attention
import AttentionCommand
import Testing

/// The error of reading these attributes, or nil.
private func error(_ metadata: [String: String]) -> CaseError? {
  do throws(CaseError) {
    _ = try CaseAttributes(metadata)
    return nil
  } catch {
    return error
  }
}

/// The error of reading these attributes of `RotaryEmbedding`, or nil.
private func rotaryError(_ metadata: [String: String]) -> CaseError? {
  do throws(CaseError) {
    _ = try RotaryAttributes(metadata)
    return nil
  } catch {
    return error
  }
}

@Suite struct CaseAttributesTests {
  @Test func readsEveryAttribute() throws {
    let attributes = try CaseAttributes([
      "op": "Attention", "is_causal": "1", "scale": "-0.125", "softcap": "50", "left_window_size": "7",
      "right_window_size": "0", "causal_alignment": "top_left", "q_num_heads": "8", "kv_num_heads": "2",
      "qk_matmul_output_mode": "2", "softmax_precision": "11",
    ])
    #expect(attributes.isCausal)
    #expect(attributes.scale == -0.125)
    #expect(attributes.leftWindow == 7 && attributes.rightWindow == 0)
    #expect(attributes.alignment == .topLeft)
    #expect(attributes.queryHeads == 8 && attributes.keyHeads == 2)
    #expect(attributes.softcap == 50)
    #expect(attributes.scoreStage == .biased)
    #expect(attributes.softmaxPrecision == .float64)
    #expect(attributes.ignoredNames.isEmpty)
  }

  @Test func defaultsAreThoseOfTheOperator() throws {
    let spelledOut = [
      "is_causal": "0", "softcap": "0.0", "left_window_size": "-1", "right_window_size": "-1",
      "softmax_precision": "1",
    ]
    #expect(try CaseAttributes(spelledOut) == CaseAttributes([:]))
    #expect(try CaseAttributes([:]).alignment == nil)
    let rotary = ["op": "RotaryEmbedding"]
    let spelledOutRotary = ["interleaved": "0", "rotary_embedding_dim": "0", "num_heads": "0"]
    #expect(
      try RotaryAttributes(rotary.merging(spelledOutRotary) { $1 }) == RotaryAttributes(rotary))
  }

  @Test func onlyAnAttributeAsksForScores() throws {
    #expect(try CaseAttributes([:]).scoreStage == nil)
    for (mode, stage) in [ScoreStage.scaled, .softcapped, .biased, .weights].enumerated() {
      #expect(try CaseAttributes(["qk_matmul_output_mode": "\(mode)"]).scoreStage == stage)
    }
  }

  @Test(arguments: [1: SoftmaxPrecision.accumulator, 10: .accumulator, 11: .float64, 16: .accumulator])
  func precisionsAreTypeCodes(code: Int, precision: SoftmaxPrecision) throws {
    #expect(try CaseAttributes(["softmax_precision": "\(code)"]).softmaxPrecision == precision)
  }

  @Test func readsTheAttributesOfRotaryEmbedding() throws {
    let attributes = try RotaryAttributes([
      "op": "RotaryEmbedding", "interleaved": "1", "rotary_embedding_dim": "64", "num_heads": "8",
      "date": "x",
    ])
    #expect(attributes.isInterleaved && attributes.rotaryDimension == 64 && attributes.heads == 8)
    #expect(attributes.ignoredNames == ["date"])
  }

  @Test(arguments: [
    ("is_causal", ["abc", "2", "-1", "true", "", "1.0", " 1", "1\0", "１", "+"]),
    (
      "scale",
      [
        "abc", "nan", "inf", "-inf", "1e400", "", "1,5", "0.1 ", "0.5\0", "0.5\0nonsense", "\00.5", "0x1p-3",
        "nan(0x1)", "infinity", ".", "-", "+-1", "1e", "1e+", "e5", ".e5", "1.2.3", "1_000", "٠.٥", "1e5.0",
        "0.5f", "1d3",
      ]
    ),
    ("softcap", ["abc", "nan", "1e400", "-1", "-1e-9"]),
    (
      "left_window_size",
      ["abc", "-2", "1.5", "4\0", "0x4", "--4", "- 4", "99999999999999999999", "9223372036854775807"]
    ),
    ("right_window_size", ["abc", "-2", "1e3", "9223372036854775807"]),
    ("causal_alignment", ["abc", "TOP_LEFT", "", "0"]),
    ("q_num_heads", ["abc", "0", "-3", "9223372036854775807"]),
    ("kv_num_heads", ["abc", "0", "2.0"]),
    ("qk_matmul_output_mode", ["abc", "4", "-1"]),
    ("softmax_precision", ["abc", "0", "2", "float", "7"]),
    ("op", ["attention", "MatMul", ""]),
  ]) func malformedValuesAreErrorsThatNameTheAttribute(name: String, values: [String]) {
    for value in values {
      let error = error([name: value])
      #expect(error?.name == name, "\(name) = \(value)")
      #expect(
        error?.description.contains(value.debugDescription) == true, "\(name) = \(value): \(error as Any)")
    }
  }

  @Test(arguments: [
    ("1", 1), ("-0.5", -0.5), ("+.5", 0.5), ("5.", 5), ("1E-3", 0.001), ("2.5e+2", 250), ("007", 7),
    ("-0", 0),
    ("0.1", 0.1), ("1e-400", 0), ("340282346638528859811704183484516925440", 0x1.fffffep127),
  ])
  func decimalNumbersAreReadAsTheyStand(text: String, number: Double) throws {
    #expect(try CaseAttributes(["scale": text]).scale == number)
  }

  @Test(arguments: [
    ("interleaved", ["abc", "2"]), ("rotary_embedding_dim", ["abc", "-2", "7"]),
    ("num_heads", ["abc", "-1"]),
    ("op", ["Attention"]),
  ]) func malformedValuesOfRotaryEmbeddingAreErrors(name: String, values: [String]) {
    for value in values {
      let error = rotaryError(["op": "RotaryEmbedding"].merging([name: value]) { $1 })
      #expect(error?.name == name, "\(name) = \(value)")
      #expect(
        error?.description.contains(value.debugDescription) == true, "\(name) = \(value): \(error as Any)")
    }
  }

  @Test func attributesOfTheOtherOperatorAreErrors() {
    // What changes nothing may stand there.
    #expect(error(["interleaved": "0", "rotary_embedding_dim": "0"]) == nil)
    #expect(rotaryError(["op": "RotaryEmbedding", "scale": "1.0"]) == nil)
    #expect(rotaryError(["op": "RotaryEmbedding", "scale": "2"])?.name == "scale")
    #expect(error(["interleaved": "1"])?.reason == "an attribute of RotaryEmbedding, not of Attention")
    let reason = rotaryError(["op": "RotaryEmbedding", "softcap": "0"])?.reason
    #expect(reason == "an attribute of Attention, not of RotaryEmbedding")
    #expect(error(["op": "RotaryEmbedding"])?.name == "op")
  }

  @Test(arguments: [
    ("is_casual", "is_causal"), ("isCausal", "is_causal"), ("IS_CAUSAL", "is_causal"),
    ("is-causal", "is_causal"),
    ("Scale", "scale"), ("scales", "scale"), ("soft_cap", "softcap"), ("left_window", nil),
    ("left_windowsize", "left_window_size"), ("num_q_heads", "q_num_heads"), ("attention_window", nil),
    ("q_num_head", "q_num_heads"),
    ("kv_num_headss", "kv_num_heads"), ("causal_alignement", "causal_alignment"),
  ]) func misspeltAttributesAreErrors(name: String, meant: String?) throws {
    if let meant {
      #expect(error([name: "1"])?.description.contains(meant) == true)
    } else {
      // Too far from any attribute to be sure: named, so that the command can warn.
      #expect(try CaseAttributes([name: "1"]).ignoredNames == [name])
    }
  }

  @Test(arguments: [
    ("unidirectional", ["0"], "1"), ("local_window_size", ["-1"], "4"), ("do_rotary", ["0"], "1"),
    ("rotary_interleaved", ["0"], "1"), ("smooth_softmax", ["0", "-1"], "1"),
    ("mask_filter_value", ["-inf"], "-10000"), ("past_present_share_buffer", ["0"], "1"),
    ("qkv_hidden_sizes", [], "8 8 8"), ("qk_output", ["0"], "1"), ("output_qk", ["0"], "1"),
    ("k_quant_type", ["NONE"], "PER_TENSOR"), ("v_quant_type", ["NONE"], "PER_CHANNEL"),
    ("kv_cache_bit_width", ["0"], "8"), ("k_cache_dtype", [], "int4"),
    ("kv_cache_layout", ["SEPARATE"], "LATENT"),
    ("v_head_size", ["0"], "512"), ("rotary_offset", ["0"], "8"), ("sparse_block_size", [], "16"),
    ("window", [], "8"),
    ("is_packed_batching", ["0"], "1"), ("past_sequence_length", ["0"], "3"),
    ("total_sequence_length", [], "8"), ("seqlens_k", [], "7"), ("beam_width", ["1"], "4"),
    ("causal", ["0"], "1"), ("window_size", ["-1", "-1.0"], "(4, 0)"), ("sliding_window", ["-1"], "4096"),
    ("softmax_scale", [], "0.5"), ("logits_soft_cap", ["0", "0.0"], "30"),
    ("dropout_p", ["0", "0.0"], "0.1"),
  ])
  func attributesOfOperatorsElsewhereAreErrorsUnlessTheyChangeNothing(
    name: String, neutral: [String], changing: String
  ) throws {
    for op in ["Attention", "RotaryEmbedding"] {
      let refusal = { (text: String) in
        op == "Attention" ? error(["op": op, name: text]) : rotaryError(["op": op, name: text])
      }
      for text in neutral { #expect(refusal(text) == nil, "\(op) \(name) = \(text)") }
      for text in [changing, "other", "0\0"] {
        let found = refusal(text)
        #expect(found?.name == name, "\(op) \(name) = \(text)")
        #expect(found?.description.contains(text.debugDescription) == true, "\(op) \(name) = \(text)")
      }
    }
    for text in neutral { #expect(try CaseAttributes([name: text]).ignoredNames.isEmpty) }
  }

  @Test func anErrorSaysWhatIsMeantInstead() {
    #expect(error(["local_window_size": "4"])?.description.contains("did you mean left_window_size?") == true)
    #expect(error(["softmax_scale": "4"])?.description.contains("did you mean scale?") == true)
  }

  @Test func otherMetadataIsNamedUnlessKnownToBeHarmless() throws {
    let attributes = try CaseAttributes([
      "case": "x", "opset": "25", "source": "y", "tokens": "[]", "format": "pt", "reviewer": "z",
      "date": "today",
    ])
    #expect(attributes.ignoredNames == ["date", "reviewer"])
  }

  @Test func longOrMultilineValuesStayOnOneShortLine() throws {
    let description = try #require(error(["scale": "1\n" + String(repeating: "x", count: 10_000)]))
      .description
    #expect(!description.contains("\n") && description.count < 200)
  }
}
