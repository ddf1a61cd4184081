import Tensors
import Testing

/// What `inspect` makes of cases that are more than Q, K and V.
@Suite struct InspectLayoutTests {
  private let queries: Tensor<Float> = randomTensor([1, 4, 3, 8], seed: 91)
  private let keys: Tensor<Float> = randomTensor([1, 2, 8, 8], seed: 92)
  private let values: Tensor<Float> = randomTensor([1, 2, 8, 6], seed: 93)

  private func inspect(_ contents: CaseContents) throws -> CommandResult {
    let directory = try TemporaryDirectory()
    let input = try contents.write(to: directory.file("case.safetensors"))
    return try withExtendedLifetime(directory) { try runAttention(["inspect", input, "--format", "json"]) }
  }

  private func contents(_ tensors: [String: any WritableTensor], _ metadata: [String: String] = [:])
    -> CaseContents
  {
    CaseContents(
      metadata.merging(["case": "one", "is_causal": "1", "causal_alignment": "bottom_right"]) { $1 },
      ["Q": queries, "K": keys, "V": values].merging(tensors) { $1 })
  }

  @Test func pagesAndPastsAreKeysInOrder() throws {
    let expected = try inspect(contents([:]))
    try #require(expected.status == 0, "\(expected)")
    let past = try inspect(
      contents([
        "past_key": keys.sliced(axis: 2, 0..<5), "past_value": values.sliced(axis: 2, 0..<5),
        "K": keys.sliced(axis: 2, 5..<8), "V": values.sliced(axis: 2, 5..<8),
      ]))
    #expect(past.standardOutput == expected.standardOutput, "\(past)")
    // Pages of 4 keys, the second half first.
    func pages(_ tensor: Tensor<Float>) throws -> Tensor<Float> {
      let halves = [4..<8, 0..<4].map { tensor.sliced(axis: 2, $0).permuted(0, 2, 1, 3) }
      return try Tensor.concatenate(halves, axis: 0)
    }
    let paged = try inspect(
      contents([
        "K": pages(keys), "V": pages(values), "block_table": try Tensor<Int64>([1, 0], shape: [1, 2]),
      ]))
    #expect(paged.standardOutput == expected.standardOutput, "\(paged)")
  }

  @Test func softcapsAndSinksChangeTheReport() throws {
    let plain = try inspect(contents([:])).standardOutput
    #expect(try inspect(contents([:], ["softcap": "0.5"])).standardOutput != plain)
    #expect(try inspect(contents(["sinks": Tensor<Float>.zeros([4])])).standardOutput != plain)
  }

  @Test func packedSequencesAreRefused() throws {
    let result = try inspect(
      contents([
        "Q": Tensor<Float>.zeros([3, 4, 8]), "K": Tensor<Float>.zeros([3, 2, 8]),
        "V": Tensor<Float>.zeros([3, 2, 8]), "cu_seqlens_q": try Tensor<Int32>([0, 3], shape: [2]),
      ]))
    #expect(result.status == 1 && result.standardError.hasPrefix("Error: cu_seqlens_q: "), "\(result)")
  }
}
