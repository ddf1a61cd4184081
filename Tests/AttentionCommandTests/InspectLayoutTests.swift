import Tensors
import TestSupport
import Testing

/// What `inspect` makes of cases that are more than Q, K and V.
@Suite struct InspectLayoutTests {
  private let queries: Tensor<Float> = randomTensor([1, 4, 3, 8], seed: 91)
  private let keys: Tensor<Float> = randomTensor([1, 2, 8, 8], seed: 92)
  private let values: Tensor<Float> = randomTensor([1, 2, 8, 6], seed: 93)

  private func inspect(_ contents: CaseContents, _ flags: String...) throws -> CommandResult {
    let directory = try TemporaryDirectory()
    let input = try contents.write(to: directory.file("case.safetensors"))
    return try withExtendedLifetime(directory) {
      try runAttention(["inspect", input, "--format", "json"] + flags)
    }
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

  @Test func packedSequencesAreInspectedOneByOne() throws {
    let cumulative = try Tensor<Int32>([0, 3, 5], shape: [3])
    let packed = contents([
      "Q": randomTensor([5, 4, 8], seed: 1) as Tensor<Float>,
      "K": randomTensor([5, 2, 8], seed: 2) as Tensor<Float>,
      "V": randomTensor([5, 2, 8], seed: 3) as Tensor<Float>,
      "cu_seqlens_q": cumulative,
    ])
    let first = try inspect(packed)
    #expect(first.status == 0, "\(first)")
    let second = try inspect(packed, "--sequence", "1")
    #expect(second.status == 0 && second.standardOutput != first.standardOutput, "\(second)")
    let third = try inspect(packed, "--sequence", "2")
    #expect(third.status == 1 && third.standardError.hasPrefix("Error: --sequence: "), "\(third)")
  }
}
