import Tensors
import Testing

@Suite struct LayoutErrorTests {
  /// `Q [2, 4, 3, 8]`, `K` and `V` `[2, 2, 5, 8]` after a past of 4.
  private static let past = CaseContents(
    [:],
    [
      "Q": Tensor<Float>.zeros([2, 4, 3, 8]), "K": Tensor<Float>.zeros([2, 2, 5, 8]),
      "V": Tensor<Float>.zeros([2, 2, 5, 8]), "past_key": Tensor<Float>.zeros([2, 2, 4, 8]),
      "past_value": Tensor<Float>.zeros([2, 2, 4, 8]),
    ])

  /// Three sequences: 5 queries, 7 keys.
  private static let packed = CaseContents(
    [:],
    [
      "Q": Tensor<Float>.zeros([5, 4, 8]), "K": Tensor<Float>.zeros([7, 2, 8]),
      "V": Tensor<Float>.zeros([7, 2, 8]),
      "cu_seqlens_q": Tensor<Int64>(repeating: 0, shape: [4]),
      "cu_seqlens_k": Tensor<Int64>(repeating: 0, shape: [4]),
    ])

  /// Two sequences of two pages, of 3 pages of 4 keys.
  private static let paged = CaseContents(
    [:],
    [
      "Q": Tensor<Float>.zeros([2, 4, 3, 8]), "K": Tensor<Float>.zeros([3, 4, 2, 8]),
      "V": Tensor<Float>.zeros([3, 4, 2, 8]), "block_table": Tensor<Int64>.zeros([2, 2]),
    ])

  @Test(arguments: [past, packed, paged]) func theUnchangedCasesRun(contents: CaseContents) throws {
    _ = try results(of: contents)
  }

  @Test(arguments: [
    BadCase("no past values", names: "past_value: missing") { $0.tensors["past_value"] = nil },
    BadCase("no past keys", names: "past_key: missing") { $0.tensors["past_key"] = nil },
    BadCase(tensor: "past_key", [2, 4, 4, 8]),
    BadCase(tensor: "past_key", [1, 2, 4, 8]),
    BadCase(tensor: "past_key", [2, 2, 4, 7]),
    BadCase(tensor: "past_key", [2, 4, 16]),
    BadCase(tensor: "past_key", [8]),
    BadCase(tensor: "past_value", [2, 2, 3, 8]),
    BadCase(tensor: "past_value", [2, 2, 4, 6]),
    BadCase("a past in half precision", names: "past_key") {
      $0.tensors["past_key"] = Tensor<Float16>.zeros([2, 2, 4, 8])
    },
    BadCase("a past in double precision", names: "past_value") {
      $0.tensors["past_value"] = Tensor<Double>.zeros([2, 2, 4, 8])
    },
    BadCase(integers: "nonpad_kv_seqlen", [5, 5]),
    BadCase(integers: "block_table", [0, 0], [2, 1]),
    BadCase(integers: "cu_seqlens_q", [0, 2, 3]).naming("past_key"),
    BadCase(tensor: "attn_mask", [3, 10]),
    BadCase(tensor: "K", [2, 2, 5, 7]),
    BadCase(tensor: "K", [1, 2, 5, 8]),
    BadCase(tensor: "V", [2, 2, 6, 8]),
    BadCase("more keys than can be counted", names: "past_key") { contents in
      contents.tensors["Q"] = Tensor<Float>.zeros([0, 4, 3, 8])
      for name in ["K", "V"] { contents.tensors[name] = Tensor<Float>.zeros([0, 2, 5, 8]) }
      for name in ["past_key", "past_value"] {
        contents.tensors[name] = Tensor<Float>.zeros([0, 2, Int(Int32.max), 8])
      }
    },
  ]) func pastsThatMakeNoSenseAreErrors(bad: BadCase) throws {
    try bad.expectFailure(of: Self.past)
  }

  @Test(arguments: [
    BadCase(integers: "cu_seqlens_q", [0, 3, 2, 5]),
    BadCase(integers: "cu_seqlens_q", [0, 3, 5, 6]),
    BadCase(integers: "cu_seqlens_q", [1, 3, 4, 5]),
    BadCase(integers: "cu_seqlens_q", [-1, 3, 4, 5]),
    BadCase(integers: "cu_seqlens_q", [0, 3, 4, .max]),
    BadCase(integers: "cu_seqlens_q", [.min, 3, 4, 5]),
    BadCase(integers: "cu_seqlens_q", []),
    BadCase(integers: "cu_seqlens_q", [0, 0, 0, 0], [2, 2]),
    BadCase(integers: "cu_seqlens_k", [0, 5, 4, 7]),
    BadCase(integers: "cu_seqlens_k", [0, 3, 5, 8]),
    BadCase(integers: "cu_seqlens_k", [2, 3, 5, 7]),
    BadCase(integers: "cu_seqlens_k", [0, 3, 7]),
    BadCase(tensor: "cu_seqlens_q", [4]),
    BadCase(tensor: "cu_seqlens_k", [4]),
    BadCase("no boundaries of queries", names: "cu_seqlens_q: missing") { $0.tensors["cu_seqlens_q"] = nil },
    BadCase("no boundaries of other keys", names: "cu_seqlens_k: missing") {
      $0.tensors["cu_seqlens_k"] = nil
    },
    BadCase(integers: "nonpad_kv_seqlen", [1, 1, 1]),
    BadCase(integers: "block_table", [0, 0, 0], [3, 1]),
    BadCase("a past", names: "past_key") {
      $0.tensors["past_key"] = Tensor<Float>.zeros([3, 2, 1, 8])
      $0.tensors["past_value"] = Tensor<Float>.zeros([3, 2, 1, 8])
    },
    BadCase(attribute: "qk_matmul_output_mode", "0"),
    BadCase(attribute: "q_num_heads", "2"),
    BadCase(attribute: "kv_num_heads", "4"),
    BadCase(tensor: "Q", [1, 5, 4, 8]),
    BadCase(tensor: "K", [1, 7, 2, 8]),
    BadCase(tensor: "V", [7, 16]),
    BadCase(tensor: "V", [6, 2, 8]),
    BadCase(tensor: "sinks", [3]),
    BadCase(tensor: "alibi_slopes", [5]),
  ]) func packedSequencesThatMakeNoSenseAreErrors(bad: BadCase) throws {
    try bad.expectFailure(of: Self.packed)
  }

  @Test(arguments: [
    BadCase(integers: "block_table", [0, 1, 2, 3], [2, 2]),
    BadCase(integers: "block_table", [0, 1, -1, 0], [2, 2]),
    BadCase(integers: "block_table", [0, 1, 1 << 31, 0], [2, 2]),
    BadCase(integers: "block_table", [0, 1, 1 << 32, 0], [2, 2]),
    BadCase("more keys than can be counted", names: "block_table × block size") { contents in
      for name in ["K", "V"] { contents.tensors[name] = Tensor<Float>.zeros([0, 1 << 30, 2, 8]) }
    },
    BadCase("more keys than an Int counts", names: "block_table × block size") { contents in
      contents.tensors["block_table"] = Tensor<Int8>.zeros([2, 16])
      for name in ["K", "V"] { contents.tensors[name] = Tensor<Float>.zeros([0, 1 << 60, 1, 1]) }
    },
    BadCase(integers: "block_table", [0, 1], [1, 2]),
    BadCase(integers: "block_table", [0, 1]),
    BadCase(tensor: "block_table", [2, 2]),
    BadCase(integers: "nonpad_kv_seqlen", [9, 1]),
    BadCase(tensor: "K", [3, 4, 16]),
    BadCase(tensor: "K", [3, 4, 3, 8]).naming("V"),
    BadCase(tensor: "K", [3, 4, 2, 7]).naming("K"),
    BadCase(tensor: "V", [3, 5, 2, 8]),
    BadCase(tensor: "V", [4, 4, 2, 8]),
    BadCase(attribute: "kv_num_heads", "4"),
    BadCase(attribute: "q_num_heads", "2"),
    BadCase(tensor: "sinks", [3]),
    BadCase(tensor: "attn_mask", [3, 9]),
    BadCase("a past", names: "block_table") {
      $0.tensors["past_key"] = Tensor<Float>.zeros([2, 2, 1, 8])
      $0.tensors["past_value"] = Tensor<Float>.zeros([2, 2, 1, 8])
    },
  ]) func pagesThatMakeNoSenseAreErrors(bad: BadCase) throws {
    try bad.expectFailure(of: Self.paged)
  }
}
