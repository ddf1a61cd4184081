import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

@Suite struct RunErrorTests {
  /// A case that runs: `Q [2, 4, 3, 8]`, `K` and `V` `[2, 2, 5, 8]`.
  private static let good = CaseContents(
    ["op": "Attention"],
    [
      "Q": randomTensor([2, 4, 3, 8], seed: 1, as: Float.self),
      "K": randomTensor([2, 2, 5, 8], seed: 2, as: Float.self),
      "V": randomTensor([2, 2, 5, 8], seed: 3, as: Float.self),
    ])

  @Test func theUnchangedCaseRuns() throws {
    let directory = try TemporaryDirectory()
    let input = try Self.good.write(to: directory.file("case.safetensors"))
    let result = try runAttention(["run", input, "-o", directory.file("out.safetensors")])
    #expect(result.status == 0, "\(result)")
    #expect(try directory.contents() == ["case.safetensors", "out.safetensors"])
  }

  @Test(arguments: [
    BadCase("no Q", names: "Q") { $0.tensors["Q"] = nil },
    BadCase("no K", names: "K") { $0.tensors["K"] = nil },
    BadCase("no V", names: "V") { $0.tensors["V"] = nil },
    BadCase("K in half precision", names: "K") { $0.tensors["K"] = Tensor<Float16>.zeros([2, 2, 5, 8]) },
    BadCase("V in double precision", names: "V") { $0.tensors["V"] = Tensor<Double>.zeros([2, 2, 5, 8]) },
    BadCase("integers", names: "Q") { contents in
      for name in ["Q", "K", "V"] { contents.tensors[name] = Tensor<Int32>.zeros([1, 1, 1, 1]) }
    },
    BadCase(tensor: "Q", [4, 3, 8]).naming("q_num_heads: missing"),
    BadCase(tensor: "Q", [3, 8]),
    BadCase(tensor: "Q", [2, 4, 3, 7]).naming("K"),
    BadCase(tensor: "Q", [2, 3, 3, 8]).naming("K"),
    BadCase(tensor: "K", [2, 5, 16]),
    BadCase(tensor: "K", [1, 2, 5, 8]),
    BadCase(tensor: "V", [2, 2, 4, 8]),
    BadCase("no width", names: "Q") { contents in
      contents.tensors["Q"] = Tensor<Float>.zeros([2, 4, 3, 0])
      contents.tensors["K"] = Tensor<Float>.zeros([2, 2, 5, 0])
    },
    BadCase(tensor: "attn_mask", [6]),
    BadCase(tensor: "attn_mask", []),
    BadCase(tensor: "attn_mask", [1, 2, 4, 3, 5]),
    BadCase(tensor: "attn_mask", [3, 6]),
    BadCase(tensor: "attn_mask", [3, 3, 5]),
    BadCase(tensor: "attn_mask", [2, 5]),
    BadCase(tensor: "attn_mask", [4, 4, 3, 1]),
    BadCase("a mask of integers", names: "attn_mask") {
      $0.tensors["attn_mask"] = Tensor<Int64>.zeros([3, 5])
    },
    BadCase(tensor: "nonpad_kv_seqlen", [2]),
    BadCase("lengths past the keys", names: "nonpad_kv_seqlen") {
      $0.tensors["nonpad_kv_seqlen"] = try Tensor<Int64>([5, 6], shape: [2])
    },
    BadCase("negative lengths", names: "nonpad_kv_seqlen") {
      $0.tensors["nonpad_kv_seqlen"] = try Tensor<Int64>([-1, 5], shape: [2])
    },
    BadCase("a length too few", names: "nonpad_kv_seqlen") {
      $0.tensors["nonpad_kv_seqlen"] = try Tensor<Int64>([5], shape: [1])
    },
    BadCase(tensor: "alibi_slopes", [3]),
    BadCase(tensor: "alibi_slopes", [2, 4]),
    BadCase("slopes of integers", names: "alibi_slopes") {
      $0.tensors["alibi_slopes"] = Tensor<Int32>.zeros([4])
    },
    BadCase("an infinite slope", names: "alibi_slopes") {
      $0.tensors["alibi_slopes"] = try Tensor<Float>([1, .infinity, 1, 1], shape: [4])
    },
    BadCase("a slope beyond what attention takes", names: "alibi_slopes") {
      $0.tensors["alibi_slopes"] = try Tensor<Float>([1, -2e20, 1, 1], shape: [4])
    },
    BadCase("a slope beyond float32", names: "alibi_slopes") {
      $0.tensors["alibi_slopes"] = try Tensor<Double>([1, 1e300, 1, 1], shape: [4])
    },
    BadCase(tensor: "sinks", [5]),
    BadCase(tensor: "sinks", [2]),
    BadCase(tensor: "sinks", [4, 1]),
    BadCase("sinks of integers", names: "sinks") { $0.tensors["sinks"] = Tensor<Int64>.zeros([4]) },
    BadCase(tensor: "attn_mask2", [3, 5]).naming("tensor \"attn_mask2\""),
    BadCase(tensor: "q", [3, 5]).naming("tensor \"q\""),
    BadCase(tensor: "line\nbreak", [1]).naming("tensor \"line\\nbreak\""),
    BadCase(tensor: "cos_cache", [3, 4]).naming("tensor \"cos_cache\""),
    BadCase(attribute: "op", "MatMul"),
    BadCase(attribute: "op", "RotaryEmbedding").naming("tensor"),
    BadCase(attribute: "scale", "1e400"),
    BadCase(attribute: "is_causal", "abc"),
    BadCase(attribute: "softcap", "-2.0"),
    BadCase(attribute: "softmax_precision", "2"),
    BadCase(attribute: "qk_matmul_output_mode", "4"),
    BadCase(attribute: "interleaved", "1"),
    BadCase(attribute: "local_window_size", "4"),
    BadCase(attribute: "do_rotary", "1"),
    BadCase(attribute: "scale", "0.5\0nonsense"),
    BadCase(attribute: "q_num_heads", "3"),
    BadCase(attribute: "kv_num_heads", "4"),
    BadCase(attribute: "is_casual", "1").naming("metadata \"is_casual\""),
  ]) func badCasesFailWithOneLineAndNoOutput(bad: BadCase) throws {
    try bad.expectFailure(of: Self.good)
  }

  @Test(arguments: [
    ("q_num_heads", ["kv_num_heads": "2"]), ("kv_num_heads", ["q_num_heads": "4"]),
    ("q_num_heads", ["q_num_heads": "5", "kv_num_heads": "2"]),
    ("kv_num_heads", ["q_num_heads": "4", "kv_num_heads": "3"]),
  ]) func threeAxesNeedHeadsThatDivide(expected: String, metadata: [String: String]) throws {
    let directory = try TemporaryDirectory()
    let contents = CaseContents(
      metadata,
      [
        "Q": Tensor<Float>.zeros([1, 3, 32]), "K": Tensor<Float>.zeros([1, 5, 16]),
        "V": Tensor<Float>.zeros([1, 5, 16]),
      ])
    let input = try contents.write(to: directory.file("case.safetensors"))
    try expectFailure(input, in: directory, names: expected, leaves: ["case.safetensors"], "\(metadata)")
  }

  @Test func inputsThatAreNoCaseFail() throws {
    let directory = try TemporaryDirectory()
    try expectFailure(
      directory.file("missing"), in: directory, names: "missing", leaves: [], "a file that is not there")
    try expectFailure(directory.path, in: directory, names: directory.path, leaves: [], "a directory")
    let garbage = Data((0..<4096).map { UInt8(truncatingIfNeeded: $0 &* 37 &+ 11) })
    for (name, data) in [("garbage", garbage), ("empty", Data())] {
      try data.write(to: URL(fileURLWithPath: directory.file(name)))
      try expectFailure(directory.file(name), in: directory, names: name, leaves: [name], name)
      try FileManager.default.removeItem(atPath: directory.file(name))
    }
  }

  @Test func outputsThatCannotBeWrittenFail() throws {
    let directory = try TemporaryDirectory()
    let input = try Self.good.write(to: directory.file("case.safetensors"))
    try expectFailure(
      input, in: directory, names: "nowhere", output: "nowhere/out.safetensors", leaves: ["case.safetensors"],
      "a directory that is not there")
    try FileManager.default.createDirectory(
      atPath: directory.file("taken"), withIntermediateDirectories: false)
    try expectFailure(
      input, in: directory, names: "taken", output: "taken", leaves: ["case.safetensors", "taken"],
      "a directory in the way")
    #expect(try FileManager.default.contentsOfDirectory(atPath: directory.file("taken")).isEmpty)
  }

  @Test func theCaseIsNotOverwritten() throws {
    let directory = try TemporaryDirectory()
    let input = try Self.good.write(to: directory.file("case.safetensors"))
    let before = FileManager.default.contents(atPath: input)
    try expectFailure(
      input, in: directory, names: "--output", output: "case.safetensors", leaves: ["case.safetensors"],
      "the case as its own output")
    #expect(FileManager.default.contents(atPath: input) == before)
  }

  @Test func failuresLeaveAnOlderOutputAsItWas() throws {
    let directory = try TemporaryDirectory()
    let old = Data("old".utf8)
    try old.write(to: URL(fileURLWithPath: directory.file("out.safetensors")))
    var contents = Self.good
    contents.metadata["softcap"] = "-1"
    let input = try contents.write(to: directory.file("case.safetensors"))
    try expectFailure(
      input, in: directory, names: "softcap", leaves: ["case.safetensors", "out.safetensors"],
      "an older output")
    #expect(FileManager.default.contents(atPath: directory.file("out.safetensors")) == old)
  }
}
