import AttentionReference
import TensorFiles
import Tensors
import TestSupport
import Testing

/// What a file and flags say together, and the visibility that it must amount to.
struct MaskCase: Sendable, CustomStringConvertible {
  let metadata: [String: String]
  let flags: [String]
  let isVisible: @Sendable (_ query: Int, _ key: Int) -> Bool
  var keyLength: Int?

  init(
    _ metadata: [String: String], _ flags: [String] = [], keyLength: Int? = nil,
    _ isVisible: @escaping @Sendable (_ query: Int, _ key: Int) -> Bool
  ) {
    self.metadata = metadata
    self.flags = flags
    self.keyLength = keyLength
    self.isVisible = isVisible
  }

  var description: String { "\(metadata) \(flags) length \(keyLength.map(String.init) ?? "none")" }
}

@Suite struct RunSemanticsTests {
  // Sizes of all cases here: B 1, Hq 4, Hkv 2, Tq 4, Tk 7, D 8, Dv 6.
  private let queries = randomTensor([1, 4, 4, 8], seed: 11, as: Float.self)
  private let keys = randomTensor([1, 2, 7, 8], seed: 12, as: Float.self)
  private let values = randomTensor([1, 2, 7, 6], seed: 13, as: Float.self)

  /// Runs a case and compares Y and lse with the oracle.
  private func expectOracle(
    _ oracle: AttentionOracle<Float>, _ metadata: [String: String] = [:], _ flags: [String] = [],
    tensors: [String: any WritableTensor] = [:], _ comment: String
  ) throws {
    let directory = try TemporaryDirectory()
    var contents = CaseContents(metadata, ["Q": queries, "K": keys, "V": values])
    for (name, tensor) in tensors { contents.tensors[name] = tensor }
    let input = try contents.write(to: directory.file("case.safetensors"))
    let output = directory.file("out.safetensors")
    let result = try runAttention(["run", input, "-o", output] + flags)
    try #require(result.status == 0, "\(comment): \(result)")
    let computed = try SafetensorsFile(path: output)
    let expected = oracle.all()
    let bound = Tolerance.caseFile(.float32)
    let y = bound.worstMismatch(try computed.tensor("Y", as: Float.self), expected: expected.output)
    #expect(y == nil, "\(comment): Y \(y?.description ?? "")")
    let lse = bound.worstMismatch(try computed.tensor("lse", as: Float.self), expected: expected.logSumExp)
    #expect(lse == nil, "\(comment): lse \(lse?.description ?? "")")
  }

  private func oracle(_ isVisible: ((_ query: Int, _ key: Int) -> Bool)? = nil) -> AttentionOracle<Float> {
    AttentionOracle(
      queries: queries, keys: keys, values: values,
      rules: ScoreRules(isVisible: isVisible.map { rule in { rule($2, $3) } }))
  }

  @Test(arguments: [
    // Without an alignment queries start at key 0, as in ONNX.
    MaskCase([:]) { _, _ in true },
    MaskCase(["is_causal": "1"]) { $1 <= $0 },
    MaskCase(["is_causal": "1", "causal_alignment": "bottom_right"]) { $1 <= $0 + 3 },
    MaskCase(["is_causal": "1", "causal_alignment": "top_left"]) { $1 <= $0 },
    MaskCase(["left_window_size": "1", "right_window_size": "2"]) { $1 >= $0 - 1 && $1 <= $0 + 2 },
    MaskCase(["left_window_size": "0"]) { $1 >= $0 },
    MaskCase(["right_window_size": "0", "causal_alignment": "bottom_right"]) { $1 <= $0 + 3 },
    MaskCase(["left_window_size": "2147483647", "right_window_size": "2147483647"]) { _, _ in true },
    MaskCase(["is_causal": "1", "left_window_size": "1", "causal_alignment": "bottom_right"]) {
      $1 <= $0 + 3 && $1 >= $0 + 2
    },
    // With key lengths queries stand at the end of the valid keys, unless the file says otherwise.
    MaskCase([:], keyLength: 5) { $1 < 5 },
    MaskCase([:], keyLength: 0) { _, _ in false },
    MaskCase(["is_causal": "1"], keyLength: 5) { $1 < 5 && $1 <= $0 + 1 },
    MaskCase(["is_causal": "1"], keyLength: 2) { $1 < 2 && $1 <= $0 - 2 },
    MaskCase(["is_causal": "1", "causal_alignment": "top_left"], keyLength: 3) { $1 < 3 && $1 <= $0 },
    MaskCase(["is_causal": "1", "causal_alignment": "bottom_right"], keyLength: 5) { $1 < 5 && $1 <= $0 + 1 },
    MaskCase(["left_window_size": "1"], keyLength: 6) { $1 < 6 && $1 >= $0 + 1 },
    // Flags override the file, also where its value makes no sense.
    MaskCase([:], ["--is-causal"]) { $1 <= $0 },
    MaskCase(["is_causal": "1"], ["--no-is-causal"]) { _, _ in true },
    MaskCase(["is_causal": "abc"], ["--no-is-causal"]) { _, _ in true },
    MaskCase(["left_window_size": "0"], ["--left-window-size", "1"]) { $1 >= $0 - 1 },
    MaskCase(["left_window_size": "0"], ["--left-window-size", "-1"]) { _, _ in true },
    MaskCase(["right_window_size": "0"], ["--right-window-size=2"]) { $1 <= $0 + 2 },
    MaskCase(["is_causal": "1", "causal_alignment": "top_left"], ["--causal-alignment", "bottom_right"]) {
      $1 <= $0 + 3
    },
    MaskCase(["is_causal": "1"], ["--threads", "2"]) { $1 <= $0 },
  ]) func rulesFollowTheFileAndTheFlags(mask: MaskCase) throws {
    var tensors: [String: any WritableTensor] = [:]
    if let length = mask.keyLength {
      tensors["nonpad_kv_seqlen"] = try Tensor<Int64>([Int64(length)], shape: [1])
    }
    try expectOracle(
      oracle(mask.isVisible), mask.metadata, mask.flags, tensors: tensors, mask.description)
  }

  @Test(
    arguments: [
      ([:], ["--scale", "-0.5"], -0.5), (["scale": "0.25"], [], 0.25), (["scale": "9"], ["--scale=1"], 1),
    ]
      as [([String: String], [String], Double)])
  func scaleComesFromTheFileOrTheFlag(metadata: [String: String], flags: [String], scale: Double) throws {
    var oracle = oracle()
    oracle.rules.scale = scale
    try expectOracle(oracle, metadata, flags, "\(metadata) \(flags)")
  }

  @Test(
    arguments: [
      [4, 7], [1, 7], [1, 4, 7], [4, 4, 7], [4, 1, 7], [1, 1, 4, 7], [1, 4, 1, 7], [1, 4, 4, 7],
      // Keys past a shorter last axis are hidden, also past one of length 1.
      [4, 5], [4, 4, 2], [4, 1], [1, 1], [1, 4, 4, 1], [4, 0],
      [7], [5], [1], [0],
    ] as [Shape])
  func masksBroadcastAsInONNX(shape: Shape) throws {
    let numbers: Tensor<Float> = randomTensor(shape, seed: 21)
    let width = shape.fromEnd(1)
    let broadcast = try numbers.broadcast(to: [1, 4, 4, width])
    var additive = oracle { _, key in key < width }
    additive.rules.bias = { b, h, i, j in j < width ? Double(broadcast[b, h, i, j]) : 0 }
    try expectOracle(additive, tensors: ["attn_mask": numbers], "additive \(shape)")

    let flags = try Tensor<Bool>(numbers.elements.map { $0 > -0.5 }, shape: shape)
    let visible = try flags.broadcast(to: [1, 4, 4, width])
    var boolean = oracle()
    boolean.rules.isVisible = { b, h, i, j in j < width && visible[b, h, i, j] }
    try expectOracle(boolean, tensors: ["attn_mask": flags], "boolean \(shape)")
  }
  @Test func masksMayHaveAnyFloatingPointType() throws {
    // Multiples of 1/4 are exact in all of them.
    var numbers = (0..<28).map { Double($0 % 9) / 4 }
    for hidden in stride(from: 4, to: 28, by: 5) { numbers[hidden] = -.infinity }
    var oracle = oracle()
    oracle.rules.bias = { [numbers] _, _, i, j in numbers[7 * i + j] }
    let double = try Tensor(numbers, shape: [4, 7])
    let masks: [any WritableTensor] = [
      double, converted(double, to: Float.self), converted(double, to: Float16.self),
      converted(double, to: BFloat16.self),
    ]
    for mask in masks { try expectOracle(oracle, tensors: ["attn_mask": mask], "\(type(of: mask))") }
  }

  @Test func threeAxesGiveThreeAxes() throws {
    let directory = try TemporaryDirectory()
    let contents = CaseContents(
      ["q_num_heads": "1", "kv_num_heads": "1"],
      ["Q": try queries.mergeHeads(), "K": try keys.mergeHeads(), "V": try values.mergeHeads()])
    let input = try contents.write(to: directory.file("case.safetensors"))
    let output = directory.file("out.safetensors")
    let result = try runAttention(["run", input, "-o", output, "--q-num-heads", "4", "--kv-num-heads", "2"])
    try #require(result.status == 0, "\(result)")
    let computed = try SafetensorsFile(path: output).tensor("Y", as: Float.self)
    try #require(computed.shape == [1, 4, 24])
    let expected = try oracle().all().output.mergeHeads()
    #expect(Tolerance.caseFile(.float32).worstMismatch(computed, expected: expected) == nil)
  }

  @Test func freeMetadataIsWarnedOfAndExpectedResultsAreNotRead() throws {
    let directory = try TemporaryDirectory()
    let contents = CaseContents(
      ["case": "mine", "reviewer": "me"],
      ["Q": queries, "K": keys, "V": values, "expected.Y": Tensor<Int8>.zeros([1])])
    let input = try contents.write(to: directory.file("case.safetensors"))
    let result = try runAttention(["run", input, "-o", directory.file("out.safetensors")])
    #expect(result.status == 0 && result.standardOutput.isEmpty, "\(result)")
    #expect(result.standardError == "attention: warning: metadata \"reviewer\" has no effect\n")
  }

  private func converted<E: TensorElement>(_ tensor: Tensor<Double>, to _: E.Type) -> Tensor<E> {
    Tensor(unsafeUninitializedShape: tensor.shape) {
      _ = $0.initialize(fromContentsOf: tensor.elements.map(E.init(nearest:)))
    }
  }
}
