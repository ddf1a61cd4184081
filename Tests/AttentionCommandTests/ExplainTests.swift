import Tensors
import TestSupport
import Testing

@Suite struct ExplainTests {
  private func expectExplanation(_ contents: CaseContents, says words: [String], _ comment: String) throws {
    let directory = try TemporaryDirectory()
    let input = try contents.write(to: directory.file("case.safetensors"))
    let result = try runAttention(["run", input, "-o", directory.file("out.safetensors"), "--explain"])
    #expect(result.status == 0 && result.standardOutput.isEmpty, "\(comment): \(result)")
    for word in words { #expect(result.standardError.contains(word), "\(comment): no \(word) in \(result)") }
    #expect(try directory.contents() == ["case.safetensors", "out.safetensors"], "\(comment)")
  }

  @Test func plansOfEveryLayoutGoToStandardError() throws {
    let scoring: [String: any WritableTensor] = [
      "sinks": Tensor<Float>.zeros([4]), "alibi_slopes": Tensor<Float>.zeros([4]),
    ]
    let words = ["kernel", "tiles", "softcap 2.0", "ALiBi", "sinks"]
    let padded: [String: any WritableTensor] = [
      "Q": Tensor<Float>.zeros([2, 4, 3, 8]), "K": Tensor<Float>.zeros([2, 2, 5, 8]),
      "V": Tensor<Float>.zeros([2, 2, 5, 8]),
    ]
    let paged: [String: any WritableTensor] = [
      "Q": Tensor<Float>.zeros([2, 4, 3, 8]), "K": Tensor<Float>.zeros([3, 5, 2, 8]),
      "V": Tensor<Float>.zeros([3, 5, 2, 8]), "block_table": Tensor<Int32>.zeros([2, 2]),
    ]
    let packed: [String: any WritableTensor] = [
      "Q": Tensor<Float>.zeros([6, 4, 8]), "K": Tensor<Float>.zeros([6, 2, 8]),
      "V": Tensor<Float>.zeros([6, 2, 8]), "cu_seqlens_q": try Tensor<Int32>([0, 1, 4, 6], shape: [4]),
    ]
    for (name, tensors, more) in [
      ("padded", padded, "2 sequences"), ("paged", paged, "; values"),
      ("packed", packed, "3 sequences"),
    ] {
      let contents = CaseContents(["softcap": "2"], tensors.merging(scoring) { $1 })
      try expectExplanation(contents, says: words + [more], name)
    }
  }

  @Test func rotaryEmbeddingsAreExplainedToo() throws {
    let contents = CaseContents(
      ["op": "RotaryEmbedding", "rotary_embedding_dim": "4"],
      [
        "input": Tensor<Float>.zeros([1, 2, 3, 8]), "cos_cache": Tensor<Float>.zeros([9, 2]),
        "sin_cache": Tensor<Float>.zeros([9, 2]), "position_ids": Tensor<Int64>.zeros([1, 3]),
      ])
    try expectExplanation(contents, says: ["kernel     rotary", "4 of 8", "9 rows"], "rotary")
  }
}
