import Attention
import TestSupport
import Testing

/// Keys and values that do not fit each other are refused by name.
@Suite struct KeyValuesErrorTests {
  private let q = Tensor<Float>.zeros([1, 1, 1, 4])

  /// Attention of one query of width 4 over pages of 8 positions, of which there are 3.
  private func refusal(
    _ table: [Int32], _ shape: Shape, _ lengths: [Int], keys: Tensor<Float> = .zeros([3, 8, 1, 4]),
    values: Tensor<Float> = .zeros([3, 8, 1, 4])
  ) throws -> AttentionError? {
    let table = try Tensor(table, shape: shape)
    return AttentionTests.refusal { () throws(AttentionError) in
      try ScaledDotProductAttention()(
        q, KeyValues(keyPages: keys, valuePages: values, pageTable: table, lengths: lengths))
    }
  }

  @Test func refusesPagesThatDoNotExist() throws {
    #expect(try refusal([0, 2], [1, 2], [16]) == nil)
    for (table, length) in [([0, 3], 16), ([-1, 0], 16), ([.max, 0], 1), ([.min, 0], 1), ([0, 99], 9)]
      as [([Int32], Int)]
    {
      #expect(try refusal(table, [1, 2], [length])?.argument == "pageTable", "\(table) \(length)")
    }
    let error = try #require(try refusal([0, 3], [1, 2], [16]))
    #expect(error.reason == "page 3 at [0, 1] given, expected 0..<3")
  }

  /// What lies past a sequence's length is never looked at.
  @Test(arguments: [-1, 3, .max, .min] as [Int32]) func unusedEntriesMayBeAnything(entry: Int32) throws {
    #expect(try refusal([0, entry], [1, 2], [8]) == nil)
    #expect(try refusal([entry, entry], [1, 2], [0]) == nil)
    #expect(try refusal([0, entry], [1, 2], [9])?.argument == "pageTable")
  }

  @Test func refusesTablesAndPagesOfOtherShapes() throws {
    #expect(try refusal([0, 1], [2], [16])?.argument == "pageTable")
    #expect(try refusal([0, 1], [2, 1], [8, 8])?.argument == "pageTable")
    #expect(try refusal([0, 1], [1, 2], [16], values: .zeros([3, 7, 1, 4]))?.argument == "valuePages")
    #expect(try refusal([0, 1], [1, 2], [16], values: .zeros([3, 8, 4]))?.argument == "valuePages")
    #expect(try refusal([0, 1], [1, 2], [16], keys: .zeros([3, 8, 1, 5]))?.argument == "keyPages")
    #expect(try refusal([0, 1], [1, 2], [16], keys: .zeros([8, 1, 4]))?.argument == "keyPages")
    #expect(try refusal([], [1, 0], [0]) == nil)
  }

  @Test func refusesLengthsOfPages() throws {
    for lengths in [[17], [-1], [], [1, 1], [.max], [.min]] {
      let error = try #require(try refusal([0, 1], [1, 2], lengths), "\(lengths)")
      #expect(error.argument == "lengths" && error.reason.contains("[1, 2]"), "\(error)")
    }
    #expect(try refusal([0, 1], [1, 2], [16]) == nil && refusal([0, 1], [1, 2], [0]) == nil)
    // Pages without rows hold nothing.
    let empty = Tensor<Float>.zeros([3, 0, 1, 4])
    #expect(try refusal([7], [1, 1], [0], keys: empty, values: empty) == nil)
    #expect(try refusal([7], [1, 1], [1], keys: empty, values: empty)?.argument == "lengths")
  }

  @Test(arguments: [[], [3], [3, 3, 3], [3, 6], [-1, 2], [.max, 0], [0, .min]] as [[Int]])
  func refusesLengthsOfTensors(lengths: [Int]) {
    let (q, k) = (Tensor<Float>.zeros([2, 2, 4, 3]), Tensor<Float>.zeros([2, 2, 5, 3]))
    expectRefusal(of: "lengths", "[2, 2, 5, 3]") {
      try ScaledDotProductAttention()(q, KeyValues(keys: k, values: k, lengths: lengths))
    }
    // The longest queries have 4 rows.
    expectRefusal(of: "lengths", "[2, 2, 4, 3]") {
      try ScaledDotProductAttention()(.padded(q, lengths: lengths), KeyValues(keys: k, values: k))
    }
  }

  @Test(arguments: [[3, 5], [8, 0], [-1, 4], [.max, 1], [.max, .max], [5, -1], [.min, 2]] as [[Int]])
  func refusesLengthsOfPackedRows(lengths: [Int]) {
    let (q, k) = (Tensor<Float>.zeros([7, 2, 3]), Tensor<Float>.zeros([7, 2, 3]))
    expectRefusal(of: "lengths", "packedKeys [7, 2, 3]") {
      try ScaledDotProductAttention()(
        .packed(q, lengths: [3, 4]), KeyValues(packedKeys: k, values: k, lengths: lengths))
    }
    expectRefusal(of: "lengths", "queries [7, 2, 3]") {
      try ScaledDotProductAttention()(
        .packed(q, lengths: lengths), KeyValues(packedKeys: k, values: k, lengths: [3, 4]))
    }
  }

  /// Other numbers of sequences than the queries have.
  @Test func refusesOtherBatches() {
    let rows = Tensor<Float>.zeros([7, 2, 3])
    for lengths in [[], [7], [1, 2, 3]] as [[Int]] {
      expectRefusal(of: "lengths", "2 sequences") {
        try ScaledDotProductAttention()(
          .packed(rows, lengths: [3, 4]), KeyValues(packedKeys: rows, values: rows, lengths: lengths))
      }
    }
    let three = Tensor<Float>.zeros([3, 2, 5, 3])
    expectRefusal(of: "keys", "2 sequences") {
      try ScaledDotProductAttention()(
        .packed(rows, lengths: [3, 4]), KeyValues(keys: three, values: three, lengths: [1, 2, 3]))
    }
  }
}
