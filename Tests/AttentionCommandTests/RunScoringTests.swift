import AttentionReference
import Foundation
import TensorFiles
import Tensors
import Testing

/// Inputs of one type, and the cases and oracles made of them: B 2, Hq 4, Hkv 2, Tq 5, Tk 9, D 8, Dv 6.
private struct Inputs<E: FloatingPointElement> {
  let queries: Tensor<E> = randomTensor([2, 4, 5, 8], seed: 41)
  let keys: Tensor<E> = randomTensor([2, 2, 9, 8], seed: 42)
  let values: Tensor<E> = randomTensor([2, 2, 9, 6], seed: 43)

  func contents(
    _ metadata: [String: String], _ tensors: [String: any WritableTensor] = [:]
  ) -> CaseContents {
    CaseContents(metadata, ["Q": queries, "K": keys, "V": values].merging(tensors) { $1 })
  }

  var oracle: AttentionOracle<E> { AttentionOracle(queries: queries, keys: keys, values: values) }
}

@Suite struct RunScoringTests {
  private let slopes = [0.5, 0.25, 0.125, 0.0625]
  private let sinks: [Double] = [1.5, -0.5, -.infinity, 3]

  /// All that happens to scores in one case, for one type.
  private func expectEverything<E: FloatingPointElement>(_: E.Type) throws {
    let inputs = Inputs<E>()
    var oracle = inputs.oracle
    oracle.rules.scale = 0.75
    oracle.rules.softcap = 1.5
    oracle.rules.sinks = sinks
    oracle.rules.isVisible = { _, _, i, j in j <= i + 4 && j >= i + 1 }
    oracle.rules.bias = { [slopes] _, h, i, j in -slopes[h] * Double(abs(i + 4 - j)) }
    let exact = oracle.all()
    let metadata = [
      "is_causal": "1", "left_window_size": "3", "causal_alignment": "bottom_right", "softcap": "1.5",
      "scale": "0.75",
    ]
    // Slopes and sinks are exact in all types.
    let tensors: [String: any WritableTensor] = [
      "alibi_slopes": try Tensor(slopes, shape: [4]).converted(to: E.self),
      "sinks": try Tensor(sinks, shape: [4]).converted(to: Float16.self),
    ]
    let type = E.elementType
    let computed = try results(of: inputs.contents(metadata, tensors))
    try computed.expect("Y", type, near: exact.output, "\(type)")
    try computed.expect("lse", type.logSumExpType, near: exact.logSumExp, "\(type)")
    #expect(computed.names.sorted() == ["Y", "lse"])
  }

  @Test func softcapSinksSlopesAndWindowsWorkTogether() throws {
    try expectEverything(Double.self)
    try expectEverything(Float.self)
    try expectEverything(Float16.self)
    try expectEverything(BFloat16.self)
  }

  @Test func flagsOverrideTheFilesScoring() throws {
    let inputs = Inputs<Float>()
    var oracle = inputs.oracle
    oracle.rules.softcap = 0.5
    let computed = try results(of: inputs.contents(["softcap": "7"]), ["--softcap", "0.5"])
    try computed.expect("Y", .float32, near: oracle.all().output, "softcap")
    let uncapped = try results(of: inputs.contents(["softcap": "7"]), ["--softcap", "0"])
    try uncapped.expect("Y", .float32, near: inputs.oracle.all().output, "no softcap")
  }

  /// Slopes count from where queries stand by ONNX's rule, also without a causal mask.
  @Test(arguments: [nil, 3]) func slopesFollowTheAlignment(length: Int?) throws {
    let inputs = Inputs<Float>()
    var tensors: [String: any WritableTensor] = ["alibi_slopes": try Tensor(slopes, shape: [4])]
    var oracle = inputs.oracle
    let offset = (length ?? 5) - 5
    oracle.rules.bias = { [slopes] _, h, i, j in -slopes[h] * Double(abs(i + offset - j)) }
    if let length {
      tensors["nonpad_kv_seqlen"] = try Tensor<Int64>([Int64(length), Int64(length)], shape: [2])
      oracle.rules.isVisible = { _, _, _, j in j < length }
    }
    let computed = try results(of: inputs.contents([:], tensors))
    try computed.expect("Y", .float32, near: oracle.all().output, "length \(length ?? 9)")
  }

  /// The scores of an oracle's inputs at each stage, by definition.
  private func stages<E>(_ inputs: Inputs<E>, softcap: Double, _ bias: Tensor<Double>) -> [Tensor<Double>] {
    var stages: [[Double]] = [[], [], []]
    for b in 0..<2 {
      for h in 0..<4 {
        for i in 0..<5 {
          for j in 0..<9 {
            let products = (0..<8).map {
              inputs.queries[b, h, i, $0].doubleValue * inputs.keys[b, h / 2, j, $0].doubleValue
            }
            let scaled = products.reduce(0, +) / 8.0.squareRoot()
            let capped = softcap * tanh(scaled / softcap)
            stages[0].append(scaled)
            stages[1].append(capped)
            stages[2].append(j <= i ? capped + bias[i, j] : -.infinity)
          }
        }
      }
    }
    return stages.map { scores in
      Tensor(unsafeUninitializedShape: [2, 4, 5, 9]) { _ = $0.initialize(fromContentsOf: scores) }
    }
  }

  private func expectStages<E: FloatingPointElement>(_: E.Type) throws {
    let inputs = Inputs<E>()
    let bias: Tensor<Double> = randomTensor([5, 9], seed: 44)
    var expected = stages(inputs, softcap: 2, bias)
    var oracle = inputs.oracle
    oracle.rules.softcap = 2
    oracle.rules.isVisible = { _, _, i, j in j <= i }
    oracle.rules.bias = { _, _, i, j in bias[i, j] }
    var weights: [Double] = []
    for b in 0..<2 {
      for h in 0..<4 { for i in 0..<5 { weights += oracle.weights(sequence: b, head: h, query: i) } }
    }
    expected.append(try Tensor(weights, shape: [2, 4, 5, 9]))
    for (mode, scores) in expected.enumerated() {
      let contents = inputs.contents(
        ["is_causal": "1", "softcap": "2", "qk_matmul_output_mode": "\(mode)"], ["attn_mask": bias])
      let computed = try results(of: contents)
      try computed.expect("qk_matmul_output", E.elementType, near: scores, "\(E.self), mode \(mode)")
      try computed.expect("Y", E.elementType, near: oracle.all().output, "\(E.self), mode \(mode)")
      #expect(computed.names.sorted() == ["Y", "lse", "qk_matmul_output"])
    }
  }

  @Test func scoresOfEveryStageAreAResult() throws {
    try expectStages(Double.self)
    try expectStages(Float.self)
    try expectStages(Float16.self)
    try expectStages(BFloat16.self)
  }

  @Test func aFlagAsksForScoresToo() throws {
    let contents = Inputs<Float>().contents(["qk_matmul_output_mode": "0"])
    let raw = try results(of: contents).tensor("qk_matmul_output", as: Float.self)
    let weights = try results(of: contents, ["--qk-matmul-output-mode", "3"])
      .tensor("qk_matmul_output", as: Float.self)
    #expect(raw.elements != weights.elements)
    #expect(weights.elements.allSatisfy { $0 >= 0 && $0 <= 1 })
    let byFlag = try results(of: Inputs<Float>().contents([:]), ["--qk-matmul-output-mode", "0"])
    #expect(try byFlag.tensor("qk_matmul_output", as: Float.self).elements == raw.elements)
  }

  @Test(arguments: [1, 10, 16]) func precisionsThatAreMetAnywayChangeNothing(code: Int) throws {
    let contents = Inputs<Float>().contents(["is_causal": "1"])
    let plain = try results(of: contents).tensor("Y", as: Float.self).elements
    let computed = try results(of: contents, ["--softmax-precision", "\(code)"])
    #expect(try computed.tensor("Y", as: Float.self).elements == plain)
  }

  @Test func doublePrecisionRoundsOnce() throws {
    let inputs = Inputs<Float>()
    let exact = inputs.oracle.all()
    let computed = try results(of: inputs.contents(["softmax_precision": "11"]))
    // Double errors are some 1e-15: what is left is the rounding of the result to Float, half a unit in its last place.
    let once = Tolerance(relative: 0x1p-23, absolute: 1e-12)
    let y = once.worstMismatch(try computed.tensor("Y", as: Float.self), expected: exact.output)
    #expect(y == nil, "Y \(y?.description ?? "")")
    let lse = once.worstMismatch(try computed.tensor("lse", as: Float.self), expected: exact.logSumExp)
    #expect(lse == nil, "lse \(lse?.description ?? "")")

    let doubles = Inputs<Double>()
    let plain = try results(of: doubles.contents([:])).tensor("Y", as: Double.self).elements
    let asked = try results(of: doubles.contents(["softmax_precision": "11"])).tensor("Y", as: Double.self)
    #expect(asked.elements == plain)
  }
}
