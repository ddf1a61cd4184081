import AttentionReference
import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// Cases whose keys or values are integers with a scale for each row.
@Suite struct Int8CaseTests {
  // B 1, Hq 4, Hkv 2, Tq 5, Tk 12, D 8, Dv 6.
  private let queries: Tensor<Float> = randomTensor([1, 4, 5, 8], seed: 31)
  private let keys: QuantizedRows
  private let values: QuantizedRows

  init() throws {
    keys = try QuantizedRows([1, 2, 12, 8], seed: 32)
    values = try QuantizedRows([1, 2, 12, 6], seed: 33)
  }

  private func contents(
    _ keys: QuantizedRows, _ values: QuantizedRows, _ more: [String: any WritableTensor] = [:],
    _ metadata: [String: String] = [:]
  ) -> CaseContents {
    CaseContents(
      metadata.merging(["is_causal": "1", "causal_alignment": "bottom_right"]) { $1 },
      [
        "Q": queries, "K": keys.integers, "k_scale": keys.scales, "V": values.integers,
        "v_scale": values.scales,
      ].merging(more) { $1 })
  }

  private func output(_ contents: CaseContents, _ comment: String = "") throws -> Tensor<Float> {
    try results(of: contents, [], comment).tensor("Y", as: Float.self)
  }

  // MARK: Numbers

  private func expectOracle<E: FloatingPointElement>(_: E.Type, keys: Bool, values: Bool) throws {
    let queries = randomTensor([1, 4, 5, 8], seed: 31, as: E.self)
    let (k, v) = (
      randomTensor([1, 2, 12, 8], seed: 34, as: E.self), randomTensor([1, 2, 12, 6], seed: 35, as: E.self)
    )
    var contents = contents(self.keys, self.values, ["Q": queries])
    if !keys {
      contents.tensors["K"] = k
      contents.tensors["k_scale"] = nil
    }
    if !values {
      contents.tensors["V"] = v
      contents.tensors["v_scale"] = nil
    }
    let exact = AttentionOracle(
      queries: queries.converted(to: Double.self),
      keys: keys ? try self.keys.exact : k.converted(to: Double.self),
      values: values ? try self.values.exact : v.converted(to: Double.self),
      rules: ScoreRules(isVisible: { $3 <= $2 + 7 })
    ).all()
    let computed = try results(of: contents)
    let comment = "\(E.self), integer keys \(keys), integer values \(values)"
    try computed.expect("Y", E.elementType, near: exact.output, comment)
    try computed.expect("lse", E.elementType.logSumExpType, near: exact.logSumExp, comment)
    #expect(computed.names.sorted() == ["Y", "lse"], "\(comment)")
  }

  @Test(arguments: [(true, true), (true, false), (false, true)])
  func resultsAreThoseOfIntegerTimesScale(keys: Bool, values: Bool) throws {
    try expectOracle(Float.self, keys: keys, values: values)
    try expectOracle(Double.self, keys: keys, values: values)
    try expectOracle(Float16.self, keys: keys, values: values)
    try expectOracle(BFloat16.self, keys: keys, values: values)
  }

  @Test func layoutsGiveTheSameBits() throws {
    let expected = try output(contents(keys, values))
    let (k, v) = try (keys.merged, values.merged)
    var merged = contents(
      QuantizedRows(integers: k.integers, scales: k.scales),
      QuantizedRows(integers: v.integers, scales: v.scales),
      ["Q": try queries.mergeHeads()], ["q_num_heads": "4", "kv_num_heads": "2"])
    #expect(try output(merged, "3-D").elements == expected.mergeHeads().elements)
    // Each row's scale, not each head's.
    merged.tensors["k_scale"] = try k.scales.contiguousCopy().reshaped(to: [1, 2, 12])
    let directory = try TemporaryDirectory()
    try AttentionCommandTests.expectFailure(
      merged.write(to: directory.file("case.safetensors")), in: directory,
      names: "Error: k_scale: shape [1, 2, 12], expected [1, 12, 2]", leaves: ["case.safetensors"], "3-D")

    let table: [String: any WritableTensor] = ["block_table": try Tensor<Int64>([2, 1, 0], shape: [1, 3])]
    let paged = try contents(keys.pages(of: 4), values.pages(of: 4), table)
    #expect(try output(paged, "pages").elements == expected.elements)

    let boundaries: [String: any WritableTensor] = [
      "Q": queries.selected(axis: 0, 0).permuted(1, 0, 2),
      "cu_seqlens_q": try Tensor<Int64>([0, 5], shape: [2]),
      "cu_seqlens_k": try Tensor<Int64>([0, 12], shape: [2]),
    ]
    let packed = try output(contents(keys.packed, values.packed, boundaries), "packed")
    #expect(packed.elements == expected.selected(axis: 0, 0).permuted(1, 0, 2).elements)
  }

  @Test func scalesMayBeOfAnyFloatingPointType() throws {
    // 7 bits, which all types hold.
    let coarse = keys.scales.converted(to: BFloat16.self)
    let expected = try output(
      contents(QuantizedRows(integers: keys.integers, scales: coarse.converted(to: Float.self)), values))
    for scales in [coarse, coarse.converted(to: Float16.self), coarse.converted(to: Double.self)]
      as [any WritableTensor]
    {
      #expect(try output(contents(keys, values, ["k_scale": scales])).elements == expected.elements)
    }
  }

  /// NaN among the scales reaches the rows that see it, all of their columns, and nothing else.
  @Test(arguments: ["k_scale", "v_scale"]) func scalesThatAreNaNReachWhatDependsOnThem(name: String) throws {
    let expected = try output(contents(keys, values))
    var scales = (name == "k_scale" ? keys : values).scales.contiguousCopy()
    // Key 9 of the second head, which queries 2, 3 and 4 of query heads 2 and 3 see.
    try scales.withMutableView {
      try $0.sliced(axis: 1, 1..<2).sliced(axis: 2, 9..<10).assign(
        from: Tensor(repeating: .nan, shape: [1, 1, 1]))
    }
    let computed = try output(contents(keys, values, [name: scales]))
    for head in 0..<4 {
      for query in 0..<5 {
        for column in 0..<6 {
          let (mine, theirs) = (computed[0, head, query, column], expected[0, head, query, column])
          let isReached = head >= 2 && query >= 2
          // Rows whose tile NaN got into are computed again, exactly: to other last bits.
          let isNear = Tolerance.caseFile(.float32).accepts(Double(mine), expected: Double(theirs))
          #expect(isReached ? mine.isNaN : isNear, "\(name) \(head) \(query) \(column): \(mine)")
        }
      }
    }
  }

  // MARK: What else commands do

  @Test(arguments: [0, 3]) func scoresAreThoseOfIntegerTimesScale(mode: Int) throws {
    let oracle = AttentionOracle(
      queries: queries.converted(to: Double.self), keys: try keys.exact, values: try values.exact,
      rules: ScoreRules(isVisible: mode == 3 ? { $3 <= $2 + 7 } : nil))
    var exact: [Double] = []
    for head in 0..<4 {
      for query in 0..<5 {
        exact +=
          mode == 3
          ? oracle.weights(sequence: 0, head: head, query: query)
          : oracle.scores(sequence: 0, head: head, query: query)
      }
    }
    try results(of: contents(keys, values, [:], ["qk_matmul_output_mode": "\(mode)"])).expect(
      "qk_matmul_output", .float32, near: try Tensor(exact, shape: [1, 4, 5, 12]), "mode \(mode)")
  }

  @Test func inspectionReadsIntegerTimesScale() throws {
    func heads(_ contents: CaseContents) throws -> [[String: Any]] {
      let directory = try TemporaryDirectory()
      let input = try contents.write(to: directory.file("case.safetensors"))
      let result = try runAttention(["inspect", input, "--format", "json"])
      try #require(result.status == 0, "\(result)")
      let report = try JSONSerialization.jsonObject(with: Data(result.standardOutput.utf8)) as? [String: Any]
      return try #require(report?["heads"] as? [[String: Any]])
    }
    var numbers = contents(keys, values)
    for (name, rows) in [("K", keys), ("V", values)] {
      numbers.tensors[name] = try rows.exact.converted(to: Float.self)
      numbers.tensors[name == "K" ? "k_scale" : "v_scale"] = nil
    }
    let (mine, theirs) = (try heads(contents(keys, values)), try heads(numbers))
    for (head, expected) in zip(mine, theirs) {
      for name in ["mass", "contributionMass"] {
        let (a, b) = (head[name] as? [Double] ?? [], expected[name] as? [Double] ?? [])
        #expect(a.count == 12 && b.count == 12)
        // Five rows of weights and norms of some units, in Float.
        #expect(zip(a, b).allSatisfy { abs($0 - $1) <= 1e-5 }, "\(name): \(a), \(b)")
      }
    }
  }

  @Test func explanationsNameTheTypes() throws {
    let directory = try TemporaryDirectory()
    let input = try contents(keys, values).write(to: directory.file("case.safetensors"))
    let result = try runAttention(["run", input, "-o", directory.file("out"), "--explain"])
    #expect(result.status == 0 && result.standardError.contains("int8"), "\(result)")
  }

  // MARK: What is refused

  private static let good = CaseContents(
    [:],
    [
      "Q": Tensor<Float>.zeros([2, 4, 3, 8]), "K": Tensor<Int8>.zeros([2, 2, 5, 8]),
      "V": Tensor<Int8>.zeros([2, 2, 5, 8]), "k_scale": Tensor<Float>.zeros([2, 2, 5]),
      "v_scale": Tensor<Float>.zeros([2, 2, 5]),
    ])

  private static let past: [String: any WritableTensor] = [
    "past_key": Tensor<Float>.zeros([2, 2, 4, 8]), "past_value": Tensor<Float>.zeros([2, 2, 4, 8]),
  ]

  @Test func theUnchangedCaseRuns() throws { _ = try results(of: Self.good) }

  @Test(arguments: [
    BadCase("no scales of keys", names: "k_scale: missing") { $0.tensors["k_scale"] = nil },
    BadCase("no scales of values", names: "v_scale: missing") { $0.tensors["v_scale"] = nil },
    BadCase("scales beside numbers", names: "k_scale: given beside K of float32") {
      $0.tensors["K"] = Tensor<Float>.zeros([2, 2, 5, 8])
    },
    BadCase("scales beside values that are numbers", names: "v_scale: given beside V of float32") {
      $0.tensors["V"] = Tensor<Float>.zeros([2, 2, 5, 8])
    },
    BadCase("integers without a sign", names: "K: holds uint8, expected float32 as in Q, or int8") {
      $0.tensors["K"] = Tensor<UInt8>.zeros([2, 2, 5, 8])
    },
    BadCase("values of wide integers", names: "V: holds int32, expected float32 as in Q, or int8") {
      $0.tensors["V"] = Tensor<Int32>.zeros([2, 2, 5, 8])
    },
    BadCase("integer queries", names: "Q: holds int8") {
      $0.tensors["Q"] = Tensor<Int8>.zeros([2, 4, 3, 8])
    },
    BadCase("integer scales", names: "k_scale: holds int32") {
      $0.tensors["k_scale"] = Tensor<Int32>.zeros([2, 2, 5])
    },
    BadCase("a scale beyond float32", names: "v_scale: a scale of 1e+300") {
      $0.tensors["v_scale"] = Tensor<Double>(repeating: 1e300, shape: [2, 2, 5])
    },
    BadCase(tensor: "k_scale", [2, 2]), BadCase(tensor: "k_scale", [2, 2, 5, 1]),
    BadCase(tensor: "k_scale", [2, 5, 2]), BadCase(tensor: "v_scale", [2, 2, 4]),
    BadCase(tensor: "v_scale", [2, 2, 5, 8]), BadCase(tensor: "v_scale", [20]),
    BadCase("another width", names: "K") {
      $0.tensors["K"] = Tensor<Int8>.zeros([2, 2, 5, 7])
    },
    BadCase("other keys than values", names: "V") {
      $0.tensors["V"] = Tensor<Int8>.zeros([2, 2, 4, 8])
      $0.tensors["v_scale"] = Tensor<Float>.zeros([2, 2, 4])
    },
    BadCase("a past before integer keys", names: "past_key: given beside K of int8") {
      $0.tensors.merge(past) { $1 }
    },
    BadCase("a past before integer values", names: "past_value: given beside V of int8") {
      $0.tensors.merge(past) { $1 }
      $0.tensors["K"] = Tensor<Float>.zeros([2, 2, 5, 8])
      $0.tensors["k_scale"] = nil
    },
    BadCase("an integer past", names: "past_key: holds int8") {
      $0.tensors.merge(past) { $1 }
      $0.tensors["past_key"] = Tensor<Int8>.zeros([2, 2, 4, 8])
    },
    BadCase(attribute: "kv_num_heads", "4"),
    BadCase(attribute: "k_scale", "0.5").naming("metadata \"k_scale\""),
  ]) func badCasesFailWithOneLineAndNoOutput(bad: BadCase) throws { try bad.expectFailure(of: Self.good) }

  @Test(arguments: [
    BadCase(tensor: "k_scale", [4, 3, 2]), BadCase(tensor: "v_scale", [3, 2, 4]),
    BadCase("pages of other lengths", names: "V") {
      $0.tensors["V"] = Tensor<Int8>.zeros([3, 5, 2, 8])
      $0.tensors["v_scale"] = Tensor<Float>.zeros([3, 5, 2])
    },
  ]) func badPagesFail(bad: BadCase) throws {
    var paged = Self.good
    paged.tensors["block_table"] = try Tensor<Int64>([0, 1, 2, 0], shape: [2, 2])
    for (rows, scales) in [("K", "k_scale"), ("V", "v_scale")] {
      paged.tensors[rows] = Tensor<Int8>.zeros([3, 4, 2, 8])
      paged.tensors[scales] = Tensor<Float>.zeros([3, 4, 2])
    }
    _ = try results(of: paged)
    try bad.expectFailure(of: paged)
  }
}
