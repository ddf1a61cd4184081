import Foundation
import TensorFiles
import Tensors
import Testing

/// A change that makes a good case bad, and what the message must name.
struct BadCase: Sendable, CustomStringConvertible {
  let description: String
  let expected: String
  let change: @Sendable (inout CaseContents) throws -> Void

  init(
    _ description: String, names expected: String,
    _ change: @escaping @Sendable (inout CaseContents) throws -> Void
  ) {
    self.description = description
    self.expected = expected
    self.change = change
  }

  /// An attribute added to the case.
  init(attribute name: String, _ value: String) {
    self.init("\(name) = \(value)", names: name) { $0.metadata[name] = value }
  }

  /// A tensor added to the case, or put in place of another.
  init(tensor name: String, _ shape: Shape) {
    self.init("\(name) \(shape)", names: name) { $0.tensors[name] = Tensor<Float>.zeros(shape) }
  }
}

@Suite struct RunErrorTests {
  /// A case that runs: `Q [2, 4, 3, 8]`, `K` and `V` `[2, 2, 5, 8]`.
  private static let good = CaseContents(
    ["op": "Attention"],
    [
      "Q": randomTensor([2, 4, 3, 8], seed: 1, as: Float.self),
      "K": randomTensor([2, 2, 5, 8], seed: 2, as: Float.self),
      "V": randomTensor([2, 2, 5, 8], seed: 3, as: Float.self),
    ])

  /// Runs the command and checks what every failure has in common.
  private func expectFailure(
    _ input: String, in directory: TemporaryDirectory, names expected: String,
    output: String = "out.safetensors",
    leaves files: [String], _ comment: String
  ) throws {
    let result = try runAttention(["run", input, "-o", directory.file(output)])
    #expect(result.status == 1, "\(comment): \(result)")
    #expect(result.errorLines.count == 1, "\(comment): \(result)")
    #expect(result.standardOutput.isEmpty, "\(comment): \(result)")
    #expect(result.standardError.contains(expected), "\(comment): \(result)")
    #expect(try directory.contents() == files, "\(comment)")
  }

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
    BadCase(tensor: "Q", [4, 3, 8]),
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
    BadCase(tensor: "attn_mask", [5]),
    BadCase(tensor: "attn_mask", [1, 2, 4, 3, 5]),
    BadCase(tensor: "attn_mask", [3, 6]),
    BadCase(tensor: "attn_mask", [3, 3, 5]),
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
    BadCase(tensor: "past_key", [2, 2, 5, 8]),
    BadCase(tensor: "past_value", [2, 2, 5, 8]),
    BadCase(tensor: "alibi_slopes", [4]),
    BadCase(tensor: "sinks", [4]),
    BadCase(tensor: "cu_seqlens_q", [3]),
    BadCase(tensor: "cu_seqlens_k", [3]),
    BadCase(tensor: "block_table", [2, 1]),
    BadCase(tensor: "attn_mask2", [3, 5]),
    BadCase(tensor: "q", [3, 5]),
    BadCase(tensor: "line\nbreak", [1]).naming("line\\nbreak"),
    BadCase(attribute: "op", "RotaryEmbedding"),
    BadCase(attribute: "scale", "1e400"),
    BadCase(attribute: "is_causal", "abc"),
    BadCase(attribute: "softcap", "2.0"),
    BadCase(attribute: "softmax_precision", "1"),
    BadCase(attribute: "qk_matmul_output_mode", "3"),
    BadCase(attribute: "q_num_heads", "3"),
    BadCase(attribute: "kv_num_heads", "4"),
    BadCase(attribute: "is_casual", "1"),
  ]) func badCasesFailWithOneLineAndNoOutput(bad: BadCase) throws {
    let directory = try TemporaryDirectory()
    var contents = Self.good
    try bad.change(&contents)
    let input = try contents.write(to: directory.file("case.safetensors"))
    try expectFailure(
      input, in: directory, names: bad.expected, leaves: ["case.safetensors"], bad.description)
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
    contents.metadata["softcap"] = "1"
    let input = try contents.write(to: directory.file("case.safetensors"))
    try expectFailure(
      input, in: directory, names: "softcap", leaves: ["case.safetensors", "out.safetensors"],
      "an older output")
    #expect(FileManager.default.contents(atPath: directory.file("out.safetensors")) == old)
  }
}

extension BadCase {
  /// The same case with another text in the message.
  func naming(_ expected: String) -> BadCase { BadCase(description, names: expected, change) }
}
