import AttentionReference
import Foundation
import TensorFiles
import Tensors
import Testing

/// Makes the fixtures `extended/int8_*`: what they hold, and what the Float64 oracle makes of integer times scale.
///
///     ATTENTION_WRITE_FIXTURES=Tests/AttentionCommandTests/Fixtures/extended swift test --filter Int8Fixtures
@Suite struct Int8Fixtures {
  private static let folder = ProcessInfo.processInfo.environment["ATTENTION_WRITE_FIXTURES"]

  @Test(.enabled(if: folder != nil)) func write() throws {
    let folder = try #require(Self.folder)
    for (name, contents) in [
      "gqa_causal": try gqaCausal(), "decode_300_keys": try decode(), "paged_nonpad": try paged(),
      "keys_only_3d": try keysOnly(), "values_only_bfloat16": try valuesOnly(),
      "packed_float16": try packed(),
      "nonpad_scales_nan_past_length": try nonpad(),
    ] {
      var contents = contents
      contents.metadata["case"] = "int8_\(name)"
      _ = try contents.write(to: "\(folder)/int8_\(name).safetensors")
    }
  }

  /// A case with what the oracle makes of the numbers that it stands for.
  private func contents<E: FloatingPointElement>(
    _ queries: Tensor<E>, _ tensors: [String: any WritableTensor], _ metadata: [String: String] = [:],
    keys: Tensor<Double>, values: Tensor<Double>, _ isVisible: ScoreRules.Rule<Bool>? = nil
  ) -> CaseContents {
    let exact = AttentionOracle(
      queries: queries.converted(to: Double.self), keys: keys, values: values,
      rules: ScoreRules(isVisible: isVisible)
    ).all()
    let expected: [String: any WritableTensor] = [
      "Q": queries, "expected.Y": exact.output.converted(to: Float.self),
      "expected.lse": exact.logSumExp.converted(to: Float.self),
    ]
    return CaseContents(metadata, expected.merging(tensors) { $1 })
  }

  private func gqaCausal() throws -> CaseContents {
    let (keys, values) = try (QuantizedRows([2, 2, 7, 16], seed: 1), QuantizedRows([2, 2, 7, 12], seed: 2))
    return contents(
      randomTensor([2, 6, 7, 16], seed: 3, as: Float.self),
      ["K": keys.integers, "k_scale": keys.scales, "V": values.integers, "v_scale": values.scales],
      ["is_causal": "1"], keys: try keys.exact, values: try values.exact
    ) { $3 <= $2 }
  }

  private func decode() throws -> CaseContents {
    let (keys, values) = try (
      QuantizedRows([1, 1, 300, 32], seed: 4), QuantizedRows([1, 1, 300, 32], seed: 5)
    )
    return contents(
      randomTensor([1, 4, 1, 32], seed: 6, as: Float.self),
      ["K": keys.integers, "k_scale": keys.scales, "V": values.integers, "v_scale": values.scales],
      keys: try keys.exact, values: try values.exact)
  }

  /// 10 of 12 keys in pages of 4; nobody looks at the rest.
  private func paged() throws -> CaseContents {
    let (keys, values) = try (QuantizedRows([1, 2, 12, 8], seed: 7), QuantizedRows([1, 2, 12, 8], seed: 8))
    let pages = try (keys.withoutScales(from: 10).pages(of: 4), values.withoutScales(from: 10).pages(of: 4))
    return contents(
      randomTensor([1, 4, 3, 8], seed: 9, as: Float.self),
      [
        "K": pages.0.integers, "k_scale": pages.0.scales, "V": pages.1.integers, "v_scale": pages.1.scales,
        "block_table": try Tensor<Int32>([2, 1, 0], shape: [1, 3]),
        "nonpad_kv_seqlen": try Tensor<Int64>([10], shape: [1]),
      ], ["is_causal": "1"], keys: try keys.exact, values: try values.exact
    ) { $3 <= $2 + 7 }
  }

  private func keysOnly() throws -> CaseContents {
    let keys = try QuantizedRows([2, 2, 5, 8], seed: 10)
    let values = randomTensor([2, 2, 5, 6], seed: 11, as: Float.self)
    let queries = randomTensor([2, 4, 3, 8], seed: 12, as: Float.self)
    var contents = contents(
      queries, ["V": try values.mergeHeads()], ["q_num_heads": "4", "kv_num_heads": "2"],
      keys: try keys.exact,
      values: values.converted(to: Double.self))
    contents.tensors["Q"] = try queries.mergeHeads()
    let merged = try keys.merged
    contents.tensors.merge(["K": merged.integers, "k_scale": merged.scales]) { $1 }
    let output = try #require(contents.tensors["expected.Y"] as? Tensor<Float>)
    contents.tensors["expected.Y"] = try output.mergeHeads()
    return contents
  }

  private func valuesOnly() throws -> CaseContents {
    let values = try QuantizedRows([1, 3, 40, 8], seed: 13)
    let keys = randomTensor([1, 3, 40, 16], seed: 14, as: BFloat16.self)
    return contents(
      randomTensor([1, 3, 9, 16], seed: 15, as: BFloat16.self),
      ["K": keys, "V": values.integers, "v_scale": values.scales], keys: keys.converted(to: Double.self),
      values: try values.exact)
  }

  /// One sequence, behind which lie three rows that are no sequence's.
  private func packed() throws -> CaseContents {
    let (keys, values) = try (QuantizedRows([1, 2, 9, 8], seed: 16), QuantizedRows([1, 2, 9, 8], seed: 17))
    let queries = randomTensor([1, 4, 6, 8], seed: 18, as: Float16.self)
    let rows = try (keys.withoutScales(from: 6).packed, values.withoutScales(from: 6).packed)
    var contents = contents(
      queries,
      [
        "K": rows.0.integers, "k_scale": rows.0.scales, "V": rows.1.integers, "v_scale": rows.1.scales,
        "cu_seqlens_q": try Tensor<Int32>([0, 6], shape: [2]),
      ], keys: try keys.exact, values: try values.exact
    ) { _, _, _, key in key < 6 }
    let output = try #require(contents.tensors["expected.Y"] as? Tensor<Float>)
    let logSumExp = try #require(contents.tensors["expected.lse"] as? Tensor<Float>)
    contents.tensors["Q"] = queries.selected(axis: 0, 0).permuted(1, 0, 2)
    contents.tensors["expected.Y"] = output.selected(axis: 0, 0).permuted(1, 0, 2)
    contents.tensors["expected.lse"] = logSumExp.selected(axis: 0, 0)
    contents.tensors["cu_seqlens_k"] = contents.tensors["cu_seqlens_q"]
    return contents
  }

  private func nonpad() throws -> CaseContents {
    let (keys, values) = try (
      QuantizedRows([2, 1, 20, 8], seed: 19), QuantizedRows([2, 1, 20, 8], seed: 20)
    )
    let rows = try (
      keys.withoutScales(from: 13, sequence: 1), values.withoutScales(from: 13, sequence: 1)
    )
    return contents(
      randomTensor([2, 2, 4, 8], seed: 21, as: Float.self),
      [
        "K": keys.integers, "k_scale": rows.0.scales, "V": values.integers, "v_scale": rows.1.scales,
        "nonpad_kv_seqlen": try Tensor<Int64>([20, 13], shape: [2]),
      ], keys: try keys.exact, values: try values.exact
    ) { sequence, _, _, key in sequence == 0 || key < 13 }
  }
}
