import AttentionReference
import TensorFiles
import Tensors
import Testing

@Suite struct PackedCaseTests {
  private let queryEnds: [Int64] = [0, 3, 3, 8, 9]
  private let keyEnds: [Int64] = [0, 4, 6, 6, 12]
  private let slopes = [1, 0.5, 0.25, 0.125]
  private let sinks = [0, 1, 2, -1.0]

  /// A packed case of four sequences, one without queries and one without keys, with two rows to spare behind them.
  private func contents<E: FloatingPointElement>(_: E.Type, _ metadata: [String: String]) throws
    -> CaseContents
  {
    CaseContents(
      metadata,
      [
        "Q": randomTensor([11, 4, 8], seed: 61, as: E.self),
        "K": randomTensor([14, 2, 8], seed: 62, as: E.self),
        "V": randomTensor([14, 2, 6], seed: 63, as: E.self),
        "cu_seqlens_q": try Tensor(queryEnds, shape: [5]), "cu_seqlens_k": try Tensor(keyEnds, shape: [5]),
        "alibi_slopes": try Tensor(slopes, shape: [4]), "sinks": try Tensor(sinks, shape: [4]),
      ])
  }

  /// What each sequence gives by itself, with 0 and −∞ behind the last: `[11, 4, 6]` and `[4, 11]`.
  private func exact<E: FloatingPointElement>(
    _ contents: CaseContents, _: E.Type, offset: (_ queries: Int, _ keys: Int) -> Int
  ) throws -> (output: Tensor<Double>, logSumExp: Tensor<Double>) {
    func rows(_ name: String, _ ends: [Int64], _ sequence: Int) throws -> Tensor<E> {
      let tensor = try #require(contents.tensors[name] as? Tensor<E>)
      return tensor.sliced(axis: 0, Int(ends[sequence])..<Int(ends[sequence + 1])).permuted(1, 0, 2)
        .expanded(axis: 0)
    }
    var output = Tensor<Double>.zeros([11, 4, 6])
    var logSumExp = Tensor<Double>(repeating: -.infinity, shape: [4, 11])
    for sequence in 0..<4 {
      let queries = try rows("Q", queryEnds, sequence)
      let keys = try rows("K", keyEnds, sequence)
      let offset = offset(queries.shape[2], keys.shape[2])
      let alone = AttentionOracle(
        queries: queries, keys: keys, values: try rows("V", keyEnds, sequence),
        rules: ScoreRules(
          softcap: 3, sinks: sinks, isVisible: { _, _, i, j in j <= i + offset },
          bias: { [slopes] _, h, i, j in -slopes[h] * Double(abs(i + offset - j)) })
      ).all()
      let rows = Int(queryEnds[sequence])..<Int(queryEnds[sequence + 1])
      try output.withMutableView {
        try $0.sliced(axis: 0, rows).assign(
          from: alone.output.selected(axis: 0, 0).permuted(1, 0, 2))
      }
      try logSumExp.withMutableView {
        try $0.sliced(axis: 1, rows).assign(from: alone.logSumExp.selected(axis: 0, 0))
      }
    }
    return (output, logSumExp)
  }

  private func expectSequencesAlone<E: FloatingPointElement>(_ type: E.Type) throws {
    for (alignment, offset) in [
      ("", { _, _ in 0 }), ("bottom_right", { $1 - $0 }),
    ] as [(String, (Int, Int) -> Int)] {
      var metadata = ["is_causal": "1", "softcap": "3"]
      if !alignment.isEmpty { metadata["causal_alignment"] = alignment }
      let contents = try contents(type, metadata)
      let exact = try exact(contents, type, offset: offset)
      let computed = try results(of: contents)
      let comment = "\(E.self) \(alignment)"
      try computed.expect("Y", E.elementType, near: exact.output, comment)
      try computed.expect("lse", E.elementType.logSumExpType, near: exact.logSumExp, comment)
      #expect(computed.names.sorted() == ["Y", "lse"])
    }
  }

  @Test func sequencesAreComputedAsIfAlone() throws {
    try expectSequencesAlone(Double.self)
    try expectSequencesAlone(Float.self)
    try expectSequencesAlone(Float16.self)
    try expectSequencesAlone(BFloat16.self)
  }

  @Test func boundariesMayBeInt32AndHeadsNamed() throws {
    var contents = try contents(Float.self, [:])
    let wide = try results(of: contents).tensor("Y", as: Float.self).elements
    contents.tensors["cu_seqlens_q"] = try Tensor(queryEnds.map { Int32($0) }, shape: [5])
    contents.tensors["cu_seqlens_k"] = try Tensor(keyEnds.map { Int32($0) }, shape: [5])
    contents.metadata = ["q_num_heads": "4", "kv_num_heads": "2"]
    #expect(try results(of: contents).tensor("Y", as: Float.self).elements == wide)
  }

  @Test func keysLieAsTheirQueriesUnlessTheFileSaysMore() throws {
    var contents = try contents(Float.self, ["is_causal": "1"])
    contents.tensors["K"] = randomTensor([11, 2, 8], seed: 64, as: Float.self)
    contents.tensors["V"] = randomTensor([11, 2, 6], seed: 65, as: Float.self)
    contents.tensors["cu_seqlens_k"] = contents.tensors["cu_seqlens_q"]
    let both = try results(of: contents).tensor("Y", as: Float.self).elements
    contents.tensors["cu_seqlens_k"] = nil
    #expect(try results(of: contents).tensor("Y", as: Float.self).elements == both)
  }

  @Test func noSequencesGiveNoRows() throws {
    let contents = CaseContents(
      [:],
      [
        "Q": Tensor<Float>.zeros([0, 4, 8]), "K": Tensor<Float>.zeros([0, 2, 8]),
        "V": Tensor<Float>.zeros([0, 2, 6]), "cu_seqlens_q": Tensor<Int32>.zeros([1]),
      ])
    let computed = try results(of: contents)
    #expect(computed["Y"]?.shape == [0, 4, 6] && computed["lse"]?.shape == [4, 0])
  }
}

@Suite struct PagedCaseTests {
  // B 2, Hq 4, Hkv 2, Tq 3, D 8, Dv 6; 3 pages of 4 keys a sequence, of 7 pages.
  private let lengths: [Int64] = [10, 4]
  /// Page 5 is nobody's; what stands past a length is never looked at.
  private let table: [Int64] = [6, 0, 3, 2, -1, 99]

  /// A paged case, and the same keys and values in order. Whatever nobody uses is NaN.
  private func contents<E: FloatingPointElement>(
    _: E.Type, _ metadata: [String: String]
  ) throws -> (paged: CaseContents, inOrder: CaseContents) {
    let queries: Tensor<E> = randomTensor([2, 4, 3, 8], seed: 71)
    func pages(width: Int, seed: UInt64) throws -> (pages: Tensor<E>, inOrder: Tensor<E>) {
      let rows: Tensor<E> = randomTensor([2, 2, 12, width], seed: seed)
      var pages = Tensor<E>(repeating: E(nearest: .nan), shape: [7, 4, 2, width])
      for (b, length) in lengths.enumerated() {
        for j in 0..<Int(length) {
          let page = Int(table[3 * b + j / 4])
          try pages.withMutableView {
            try $0.selected(axis: 0, page).selected(axis: 0, j % 4).assign(
              from: rows.selected(axis: 0, b).selected(axis: 1, j))
          }
        }
      }
      return (pages, rows)
    }
    let keys = try pages(width: 8, seed: 72)
    let values = try pages(width: 6, seed: 73)
    let common: [String: any WritableTensor] = [
      "Q": queries, "nonpad_kv_seqlen": try Tensor(lengths, shape: [2]),
      "sinks": Tensor<Float>.zeros([4]),
    ]
    let paged: [String: any WritableTensor] = [
      "K": keys.pages, "V": values.pages, "block_table": try Tensor(table, shape: [2, 3]),
    ]
    let inOrder: [String: any WritableTensor] = ["K": keys.inOrder, "V": values.inOrder]
    return (
      CaseContents(metadata, common.merging(paged) { $1 }),
      CaseContents(metadata, common.merging(inOrder) { $1 })
    )
  }

  private func expectEqual<E: FloatingPointElement>(_ type: E.Type, _ metadata: [String: String]) throws {
    let (paged, inOrder) = try contents(type, metadata)
    let expected = try results(of: inOrder)
    let computed = try results(of: paged)
    #expect(computed.names.sorted() == expected.names.sorted())
    for name in expected.names {
      let exact = try expected.tensor(name, convertedTo: Double.self)
      let kind = try #require(expected[name]).elementType
      try computed.expect(name, kind, near: exact, "\(E.self) \(metadata)")
    }
  }

  @Test func pagesAreKeysInOrder() throws {
    let metadata = ["is_causal": "1", "softcap": "2"]
    try expectEqual(Double.self, metadata)
    try expectEqual(Float.self, metadata)
    try expectEqual(Float16.self, metadata)
    try expectEqual(BFloat16.self, metadata)
  }

  @Test(arguments: [2, 3]) func scoresOfPagesAreThoseOfKeysInOrder(mode: Int) throws {
    try expectEqual(Float.self, ["is_causal": "1", "qk_matmul_output_mode": "\(mode)"])
  }

  @Test(arguments: [0, 1]) func rawScoresOfPagesInUseAreThoseOfKeysInOrder(mode: Int) throws {
    let (paged, inOrder) = try contents(Float.self, ["qk_matmul_output_mode": "\(mode)", "softcap": "2"])
    let name = "qk_matmul_output"
    let computed = try results(of: paged).tensor(name, as: Float.self)
    let expected = try results(of: inOrder).tensor(name, as: Float.self)
    let bound = Tolerance.caseFile(.float32)
    for (b, length) in lengths.enumerated() {
      let (mine, theirs) = (computed.selected(axis: 0, b), expected.selected(axis: 0, b))
      let used = 0..<Int(length)
      let mismatch = bound.worstMismatch(
        mine.sliced(axis: 2, used), expected: theirs.sliced(axis: 2, used))
      #expect(mismatch == nil, "mode \(mode), sequence \(b): \(mismatch?.description ?? "")")
    }
    // Keys that the sequence does not have.
    let rest = computed.selected(axis: 0, 1).sliced(axis: 2, Int(lengths[1])..<12)
    #expect(rest.elements.allSatisfy { $0 == -.infinity })
  }

  @Test func tablesMayBeInt32AndQueriesMerged() throws {
    var (paged, _) = try contents(Float.self, [:])
    let expected = try results(of: paged).tensor("Y", as: Float.self)
    let queries = try #require(paged.tensors["Q"] as? Tensor<Float>)
    paged.tensors["Q"] = try queries.mergeHeads()
    paged.tensors["block_table"] = try Tensor(table.map { Int32($0) }, shape: [2, 3])
    paged.metadata = ["q_num_heads": "4", "kv_num_heads": "2"]
    let merged = try results(of: paged).tensor("Y", as: Float.self)
    #expect(merged.shape == [2, 3, 24])
    #expect(merged.elements == (try expected.mergeHeads().elements))
  }

  @Test func withoutLengthsAllPagesCount() throws {
    let keys: Tensor<Float> = randomTensor([2, 4, 2, 8], seed: 74)
    let values: Tensor<Float> = randomTensor([2, 4, 2, 6], seed: 75)
    let queries: Tensor<Float> = randomTensor([1, 4, 3, 8], seed: 76)
    let contents = CaseContents(
      ["is_causal": "1"],
      ["Q": queries, "K": keys, "V": values, "block_table": try Tensor<Int32>([1, 0], shape: [1, 2])])
    func inOrder(_ pages: Tensor<Float>) throws -> Tensor<Float> {
      let swapped = try Tensor.concatenate(
        [pages.selected(axis: 0, 1), pages.selected(axis: 0, 0)], axis: 0)
      return swapped.permuted(1, 0, 2).expanded(axis: 0)
    }
    let oracle = try AttentionOracle(
      queries: queries, keys: inOrder(keys), values: inOrder(values),
      rules: ScoreRules(isVisible: { $3 <= $2 }))
    try results(of: contents).expect("Y", .float32, near: oracle.all().output, "no lengths")
  }
}
