import Attention
import AttentionInspection
import Foundation
import LinearAlgebra
import TensorFiles
import Testing
import Transformer

/// Every call of the README's feature table, as it stands there: it compiles, and runs.
@Suite struct ReadmeCallsTests {
  let q = Tensor<Float>.normal([2, 4, 8, 64], seed: 1)
  let k = Tensor<Float>.normal([2, 4, 8, 64], seed: 2)
  let v = Tensor<Float>.normal([2, 4, 8, 64], seed: 3)
  var kv: KeyValues { KeyValues(keys: k, values: v) }

  @Test func theOperator() throws {
    let attend = ScaledDotProductAttention(scale: 0.125, mask: .causal)
    let output = try attend(q, kv)
    #expect(output.shape == [2, 4, 8, 64])
    // The scale is 1/√64.
    #expect(try scaledDotProductAttention(queries: q, keys: k, values: v, mask: .causal) == output)
    _ = try scaledDotProductAttention(queries: q, keys: k, values: v)
    #expect(try attend.withLogSumExp(q, kv).output == output)
    var written = Tensor<Float>.zeros([2, 4, 8, 64])
    try written.withMutableView { view in try attend.write(q, kv, to: view) }
    #expect(written == output)
    try print(attend.plan(q, kv))
    let plan = try attend.plan(q, kv)
    written = Tensor<Float>.zeros([2, 4, 8, 64])
    try written.withMutableView { view in try plan.run(q, kv, to: view) }
    #expect(written == output)
    #expect(try attend.scores(q, kv, stage: .weights, rows: 0..<4).shape == [2, 4, 4, 8])
    _ = try AttentionInspector(attend, q, kv).summaries()[0]
  }

  @Test func types() throws {
    let attend = ScaledDotProductAttention()
    _ = try attend(q, KeyValues(keys: k.converted(to: BFloat16.self), values: v.converted(to: Float16.self)))
    _ = try ScaledDotProductAttention(options: AttentionOptions(softmaxPrecision: .float64))(q, kv)
    _ = try attend(q, KeyValues(keys: k.sliced(axis: 1, 0..<2), values: v.sliced(axis: 1, 0..<2)))
    _ = (Tensor<Float>.self, Tensor<Double>.self, Tensor<Float16>.self, Tensor<BFloat16>.self)
  }

  @Test func sequences() throws {
    let attend = ScaledDotProductAttention(mask: .causal)
    let packed = Tensor<Float>.normal([8, 4, 64], seed: 4)
    let (packedKeys, packedValues) = (
      Tensor<Float>.normal([16, 4, 64], seed: 5), Tensor<Float>.normal([16, 4, 64], seed: 6)
    )
    let (kp, vp) = (
      Tensor<Float>.normal([5, 4, 4, 64], seed: 7), Tensor<Float>.normal([5, 4, 4, 64], seed: 8)
    )
    let table = try Tensor<Int32>([4, 0, 3, 1], shape: [2, 2])
    _ = try attend(.padded(q, lengths: [3, 7]), kv)
    let kv3 = KeyValues(packedKeys: packedKeys, values: packedValues, lengths: [5, 8, 3])
    #expect(try attend(.packed(packed, lengths: [1, 1, 6]), kv3).shape == [8, 4, 64])
    let prefix = KeyValues(keys: k, values: v, lengths: [5, 8])
    let suffix = KeyValues(keyPages: kp, valuePages: vp, pageTable: table, lengths: [5, 8])
    #expect(try attend(q, KeyValues(joining: [prefix, suffix])).shape == [2, 4, 8, 64])
    let (y1, lse1) = try attend.withLogSumExp(q, prefix)
    let (y2, lse2) = try attend.withLogSumExp(q, suffix)
    _ = try mergeAttention([(y1, lse1), (y2, lse2)])
  }

  @Test func caches() throws {
    let attend = ScaledDotProductAttention(mask: .causal)
    let quantized = try QuantizedTensor(quantizing: k)
    let (integers, scales) = (quantized.integers, quantized.scales)
    _ = try attend(q, KeyValues(keys: QuantizedTensor(integers: integers, scales: scales), values: v))
    let pool = try KeyValuePool(
      layers: 2, heads: 4, depth: 64, keys: .bfloat16, values: .int8, pageSize: 16, pages: 64)
    let (chat, other) = (pool.makeSequence(), pool.makeSequence())
    _ = try pool.makeSequence(window: 63, keepingFirst: 4, longestAppend: 16)
    let rotary = try RotaryEmbedding(headDimension: 64, positions: 128)
    let (newKeys, newValues) = (
      Tensor<Float>.normal([3, 4, 64], seed: 1), Tensor<Float>.normal([3, 4, 64], seed: 2)
    )
    let step = try KeyValueStep([chat, other], appending: [[17], [4, 9]])
    try step.write(layer: 0, keys: newKeys, values: newValues, rotary: rotary)
    try step.write(layer: 1, keys: newKeys, values: newValues)
    let packed = Tensor<Float>.normal([3, 8, 64], seed: 3)
    #expect(try attend(.packed(packed, lengths: [1, 2]), step.keyValues(layer: 0)).shape == [3, 8, 64])
    try step.commit()
    let prompt = [4, 9]
    #expect(pool.match(prompt) == 0)
    #expect(pool.makeSequence(reusing: prompt).count == 0)
    _ = try chat.fork()
    try KeyValueSequence.reorder([chat, other], by: [1, 1])
    #expect(chat.tokens == prompt)
    #expect(try pool.load(bytes: chat.savedBytes()).tokens == prompt)
    func compiles(_ path: String) throws {
      try chat.save(to: path)
      _ = try pool.load(from: path)
    }
    #expect(throws: AttentionError.self) { try compiles("/nowhere/cache.safetensors") }
    try chat.truncate(to: 0)
    _ = try KeyValueSlab(layers: 2, heads: 4, depth: 64, keys: .float32, values: .float32, capacity: 64)
    let planes = try KeyValuePool(
      layers: 1, heads: 4, depth: 64, keys: .planes, values: .int8, pageSize: 16, pages: 64)
    let token = try KeyValueStep([planes.makeSequence()], appending: [3])
    try token.write(layer: 0, keys: newKeys, values: newValues)
    let bounded = try attend.within(0.01, .packed(packed, lengths: [3]), token.keyValues(layer: 0))
    #expect(bounded.bounds.elements.allSatisfy { $0 <= 0.01 })
  }

  @Test func masksAndScores() throws {
    struct Chunked: KeyRangeRule {
      let size: Int
      var description: String { "chunked(\(size))" }
      func visibleKeys(of query: QueryPlace) -> Range<Int> {
        let start = query.query / size * size
        return query.keys(from: start, through: start + size - 1)
      }
    }
    let visible = Tensor<Bool>(repeating: true, shape: [8, 8])
    let bias = Tensor<Float>.normal([4, 8, 8], seed: 9)
    let masks = [
      AttentionMask.causal, AttentionMask.causal(.topLeft), AttentionMask.causal(.offset(5)),
      AttentionMask.causal & .window(left: 1023),
      AttentionMask.causal & .window(left: 1023, keepingFirst: 4),
      AttentionMask.keyRange(Chunked(size: 8192)),
      AttentionMask.boolean(visible),
      AttentionMask.additive(bias),
      AttentionMask.causal & .alibi(slopes: AttentionMask.alibiSlopes(heads: 4)),
      AttentionMask.modifier(ScoreModifier { score, at in score - 0.1 * Double(abs(at.position - at.key)) }),
    ]
    for mask in masks { _ = try ScaledDotProductAttention(mask: mask)(q, kv) }
    for options in [AttentionOptions(softcap: 50), AttentionOptions(sinks: [0.5, 1, -1, 3])] {
      _ = try ScaledDotProductAttention(options: options)(q, kv)
    }
  }

  @Test func memory() throws {
    let attend = ScaledDotProductAttention()
    let (q1, k1): ([Float], [Float]) = ([1, 2, 3, 4], [1, 0, 0, 0, 0, 1, 0, 0])
    let y = try withTensors(over: q1.span, k1.span, shapes: [1, 1, 1, 4], [1, 1, 2, 4]) {
      q, k throws(AttentionError) in try attend(q, KeyValues(keys: k, values: k))
    }
    #expect(y.shape == [1, 1, 1, 4])
    let file = try Tensor<Float>([1, 2, 3, 4], shape: [1, 4])
    let row = try file.withUnsafePointer { base in
      try Tensor(unsafeExternal: base, shape: [1, 4], owner: file)
    }
    #expect(row[0, 3] == 4)
    _ = GrowableTensor<Float>(emptyShape: [1, 4, 0, 64], growing: 2, capacity: 4096)
  }

  @Test func aroundIt() throws {
    _ = try RotaryEmbedding(headDimension: 128, positions: 8192, base: 500_000, scaling: .llama3(factor: 8))
    let values = try Tensor<Float>([2, 10, 4, 0, 8, 5], shape: [3, 2])
    let weights = try Tensor<Float>([0.2, 0.7, 0.1], shape: [3])
    #expect(try weightedAverage(of: values, weights: weights).elements == [4, 2.5])
    let attend = ScaledDotProductAttention(mask: .causal)
    func compiles(_ weights: [String: Tensor<Float>], _ hidden: Tensor<Float>, _ path: String) throws {
      _ = try MultiHeadAttention(pyTorch: weights, heads: 12)(hidden, with: attend)
      _ = try SafetensorsFile(path: path).tensor("Q", as: Float.self)
    }
    #expect(throws: (any Error).self) { try compiles([:], q, "/nowhere") }
  }

  @Test func models() throws {
    func streams(_ model: LanguageModel) async throws {
      for try await token in TextGenerator(model).stream("Once upon a time") { print(token.text) }
    }
    func compiles(
      _ model: LanguageModel, _ prompts: [[Int]], _ texts: [String], _ w: Tensor<Float>, _ x: Tensor<Float>,
      _ path: String
    ) throws {
      try BatchGenerator(model, poolTokens: 32_768).generate(prompts) { index, result in print(index, result)
      }
      _ = try SentenceEncoder(path: path, weights: .bfloat16).encode(texts)
      _ = try Linear(weight: w, as: .int8)(x)
      _ = try GGUFFile(path: path).tensor("output.weight", convertedTo: Float.self)
      _ = try NumPyFile(path: path)
    }
    #expect(throws: ModelError.self) { try LanguageModel(path: "/nowhere") }
    let w = Tensor<Float>.uniform([3, 4], in: -1.0...1.0, seed: 1)
    #expect(try Linear(weight: w, as: .int8)(w).shape == [3, 3])
    #expect(throws: TensorFileError.self) { try NumPyFile(path: "/nowhere") }
    #expect(throws: TensorFileError.self) { try GGUFFile(path: "/nowhere") }
  }

  /// The table's calls stand in this file, to the letter, however their lines are broken.
  @Test func everyCallOfTheTableIsHere() throws {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let readme = try String(contentsOf: root.appending(path: "README.md"), encoding: .utf8)
    let here = try String(contentsOfFile: #filePath, encoding: .utf8).filter { !$0.isWhitespace }
    let table =
      try #require(readme.components(separatedBy: "## What it does").last)
      .components(separatedBy: "What it promises").first ?? ""
    var calls = 0
    for line in table.split(separator: "\n") where line.hasPrefix("| ") {
      let cells = line.split(separator: "|", omittingEmptySubsequences: false)
      guard cells.count >= 4 else { continue }
      for (index, code) in cells[2].split(separator: "`", omittingEmptySubsequences: false).enumerated()
      where index % 2 == 1 {
        // Words for the shell, and names of functions.
        if code.hasPrefix("swift run") || !code.contains(where: { "(<.".contains($0) }) { continue }
        calls += 1
        #expect(here.contains(code.filter { !$0.isWhitespace }), "\(code)")
      }
    }
    #expect(calls > 35)
  }
}
