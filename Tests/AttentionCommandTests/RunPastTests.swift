import AttentionReference
import TensorFiles
import Tensors
import Testing

@Suite struct RunPastTests {
  // B 2, Hq 4, Hkv 2, Tq 3, 5 new keys after a past of 4, D 8, Dv 6.
  private let queries: Tensor<Float> = randomTensor([2, 4, 3, 8], seed: 51)
  private let keys: Tensor<Float> = randomTensor([2, 2, 9, 8], seed: 52)
  private let values: Tensor<Float> = randomTensor([2, 2, 9, 6], seed: 53)

  /// The case whose first `past` keys are the past.
  private func contents(past: Int, _ metadata: [String: String]) -> CaseContents {
    CaseContents(
      metadata,
      [
        "Q": queries,
        "K": keys.sliced(axis: 2, past..<9), "V": values.sliced(axis: 2, past..<9),
        "past_key": keys.sliced(axis: 2, 0..<past), "past_value": values.sliced(axis: 2, 0..<past),
      ])
  }

  private func expectOracle(
    _ contents: CaseContents, bias: ScoreRules.Rule<Double>? = nil, _ comment: String,
    _ isVisible: @escaping ScoreRules.Rule<Bool>
  ) throws {
    let oracle = AttentionOracle(
      queries: queries, keys: keys, values: values, rules: ScoreRules(isVisible: isVisible, bias: bias))
    let exact = oracle.all()
    let isMerged = contents.metadata["q_num_heads"] != nil
    let computed = try results(of: contents, [], comment)
    try computed.expect(
      "Y", .float32, near: isMerged ? exact.output.mergeHeads() : exact.output, comment)
    try computed.expect("lse", .float32, near: exact.logSumExp, comment)
    #expect(try computed.tensor("present_key", as: Float.self).elements == keys.elements, "\(comment)")
    #expect(try computed.tensor("present_value", as: Float.self).elements == values.elements, "\(comment)")
    #expect(computed["present_key"]?.shape == keys.shape && computed["present_value"]?.shape == values.shape)
    #expect(computed.names.count == 4, "\(comment): \(computed.names)")
  }

  @Test(arguments: [0, 1, 4, 9]) func queriesStandAfterThePast(past: Int) throws {
    let metadata = ["is_causal": "1"]
    try expectOracle(contents(past: past, metadata), "past of \(past)") { _, _, i, j in j <= i + past }
    let window = ["left_window_size": "1", "right_window_size": "2"]
    try expectOracle(contents(past: past, window), "window, past of \(past)") { _, _, i, j in
      j >= i + past - 1 && j <= i + past + 2
    }
  }

  @Test func anAlignmentMovesThem() throws {
    let topLeft = ["is_causal": "1", "causal_alignment": "top_left"]
    try expectOracle(contents(past: 4, topLeft), "top left") { _, _, i, j in j <= i }
    let bottomRight = ["is_causal": "1", "causal_alignment": "bottom_right"]
    try expectOracle(contents(past: 4, bottomRight), "bottom right") { _, _, i, j in j <= i + 6 }
  }

  @Test func slopesAndMasksCountThePast() throws {
    let mask: Tensor<Float> = randomTensor([3, 9], seed: 54)
    var contents = contents(past: 4, [:])
    contents.tensors["attn_mask"] = mask
    contents.tensors["alibi_slopes"] = try Tensor<Float>([1, 0.5, 0.25, 0.125], shape: [4])
    let bias: ScoreRules.Rule<Double> = { _, h, i, j in
      Double(mask[i, j]) - Double(abs(i + 4 - j)) / Double(1 << h)
    }
    try expectOracle(contents, bias: bias, "slopes and mask") { _, _, _, _ in true }
  }

  @Test func mergedHeadsHaveAPastOfFourAxes() throws {
    var contents = contents(past: 4, ["is_causal": "1", "q_num_heads": "4", "kv_num_heads": "2"])
    contents.tensors["Q"] = try queries.mergeHeads()
    contents.tensors["K"] = try keys.sliced(axis: 2, 4..<9).mergeHeads()
    contents.tensors["V"] = try values.sliced(axis: 2, 4..<9).mergeHeads()
    try expectOracle(contents, "merged heads") { _, _, i, j in j <= i + 4 }
  }
}
