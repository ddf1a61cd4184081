import BenchmarkKit
import Foundation
import Testing

@Suite struct CheckTests {
  private static let rows = [
    RowIndex(sequence: 0, head: 0, query: 0), RowIndex(sequence: 1, head: 2, query: 3),
  ]
  private static let reference = [[1.0, -2], [3, 4]]

  private static func check(_ outputs: [[Double]], tolerance: Double = 0.5) -> Check {
    Check(rows: rows, reference: reference, tolerance: tolerance) { row in outputs[row.sequence] }
  }

  @Test func rightOutputsPassWithTheirError() {
    #expect(Self.check(Self.reference).failure == nil)
    let near = Self.check([[1.25, -2], [3, 3.5]])
    #expect(near.failure == nil)
    #expect(near.maxError == 0.5)
  }

  @Test func onePerturbedElementFails() {
    let check = Self.check([[1, -2], [3, 4.75]])
    #expect(check.maxError == 0.75)
    #expect(check.failure == "error 0.750 is over the tolerance 0.500")
  }

  @Test(arguments: [Double.nan, .infinity, -.infinity]) func whatIsNotFiniteFails(value: Double) {
    let check = Self.check([[1, -2], [value, 4]], tolerance: .infinity)
    #expect(check.maxError == nil)
    #expect(check.failure == "not finite in sequence 1, head 2, query 3")
  }

  @Test func missingElementsFail() {
    #expect(Self.check([[1, -2], [3]]).failure != nil)
  }

  @Test(arguments: [(1, 1, 1), (1, 2, 1), (8, 12, 512), (1, 32, 16), (3, 5, 7)])
  func samplesCoverBothEndsAndStayInBounds(sizes: (batch: Int, heads: Int, queries: Int)) throws {
    let list = """
      [{"name": "s", "batch": \(sizes.batch), "query_heads": \(sizes.heads), "key_value_heads": 1, "head_dim": 4,
        "value_dim": 4, "queries": \(sizes.queries), "keys": 64, "mask": "none"}]
      """
    let shape = try #require(try ShapeFile.parse(Data(list.utf8)).first)
    let rows = Check.sampleRows(of: shape)
    let last = RowIndex(sequence: sizes.batch - 1, head: sizes.heads - 1, query: sizes.queries - 1)
    #expect(rows.contains(RowIndex(sequence: 0, head: 0, query: 0)))
    #expect(rows.contains(last))
    #expect(Set(rows).count == rows.count)
    #expect(rows.count <= 48)
    #expect(
      rows.allSatisfy { row in
        0..<sizes.batch ~= row.sequence && 0..<sizes.heads ~= row.head && 0..<sizes.queries ~= row.query
      })
    #expect(Set(rows.map(\.sequence)).count == sizes.batch)
    #expect(Set(rows.map(\.head)).count >= min(sizes.heads, 8))
    #expect(rows == Check.sampleRows(of: shape))
    #expect(Check.sampleRows(of: shape, work: 0).count <= 4)
  }

  @Test(arguments: [[3, 0, 7], [0, 0, 1], [1], [5, 5]]) func samplesOfPackedSequencesExist(lengths: [Int])
    throws
  {
    let list = """
      [{"name": "s", "batch": \(lengths.count), "query_heads": 3, "key_value_heads": 1, "head_dim": 4, "value_dim": 4,
        "queries": 7, "keys": 7, "mask": "causal", "key_lengths": \(lengths), "layout": "packed"}]
      """
    let rows = Check.sampleRows(of: try #require(try ShapeFile.parse(Data(list.utf8)).first))
    #expect(rows.allSatisfy { 0..<3 ~= $0.head && 0..<lengths[$0.sequence] ~= $0.query }, "\(rows)")
    #expect(Set(rows).count == rows.count)
    let filled = lengths.indices.filter { lengths[$0] > 0 }
    #expect(Set(rows.map(\.sequence)) == Set(filled))
    let (first, last) = (try #require(filled.first), try #require(filled.last))
    #expect(rows.contains(RowIndex(sequence: first, head: 0, query: 0)))
    #expect(rows.contains(RowIndex(sequence: last, head: 2, query: lengths[last] - 1)))
  }

  @Test func nothingToSampleIsNoRow() {
    #expect(Check.sampleRows(heads: 3, queries: [0, 0]).isEmpty)
    #expect(Check.sampleRows(heads: 0, queries: [4]).isEmpty)
    #expect(Check.sampleRows(heads: 3, queries: []).isEmpty)
  }
}
