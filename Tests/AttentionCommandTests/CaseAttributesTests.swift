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

@Suite struct CaseAttributesTests {
  @Test func readsEveryAttribute() throws {
    let attributes = try CaseAttributes([
      "op": "Attention", "is_causal": "1", "scale": "-0.125", "left_window_size": "7",
      "right_window_size": "0",
      "causal_alignment": "top_left", "q_num_heads": "8", "kv_num_heads": "2",
    ])
    #expect(attributes.isCausal)
    #expect(attributes.scale == -0.125)
    #expect(attributes.leftWindow == 7 && attributes.rightWindow == 0)
    #expect(attributes.alignment == .topLeft)
    #expect(attributes.queryHeads == 8 && attributes.keyHeads == 2)
    #expect(attributes.ignoredNames.isEmpty)
  }

  @Test func defaultsAreThoseOfTheOperator() throws {
    let spelledOut = [
      "is_causal": "0", "softcap": "0.0", "left_window_size": "-1", "right_window_size": "-1",
      "qk_matmul_output_mode": "0",
    ]
    #expect(try CaseAttributes(spelledOut) == CaseAttributes([:]))
    #expect(try CaseAttributes([:]).alignment == nil)
  }

  @Test(arguments: [
    ("is_causal", ["abc", "2", "-1", "true", "", "1.0", " 1"]),
    ("scale", ["abc", "nan", "inf", "-inf", "1e400", "", "1,5", "0.1 "]),
    ("softcap", ["abc", "nan", "1e400"]),
    ("left_window_size", ["abc", "-2", "1.5", "99999999999999999999", "9223372036854775807"]),
    ("right_window_size", ["abc", "-2", "1e3", "9223372036854775807"]),
    ("causal_alignment", ["abc", "TOP_LEFT", "", "0"]),
    ("q_num_heads", ["abc", "0", "-3", "9223372036854775807"]),
    ("kv_num_heads", ["abc", "0", "2.0"]),
    ("qk_matmul_output_mode", ["abc", "4", "-1"]),
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
    ("softcap", "2.0"), ("softcap", "-1"), ("qk_matmul_output_mode", "1"), ("qk_matmul_output_mode", "3"),
    ("softmax_precision", "1"), ("op", "RotaryEmbedding"),
  ]) func unsupportedAttributesAreErrors(name: String, value: String) {
    let error = error([name: value])
    #expect(error?.name == name)
    #expect(error?.reason.contains("not supported") == true)
  }

  @Test(arguments: [
    ("is_casual", "is_causal"), ("isCausal", "is_causal"), ("IS_CAUSAL", "is_causal"),
    ("is-causal", "is_causal"),
    ("Scale", "scale"), ("scales", "scale"), ("soft_cap", "softcap"), ("left_window", nil),
    ("left_windowsize", "left_window_size"), ("num_q_heads", "q_num_heads"), ("window_size", nil),
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
