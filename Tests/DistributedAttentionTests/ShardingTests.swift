import Attention
import DistributedAttention
import Testing

/// Who has what.
struct ShardingTests {
  @Test(arguments: [0, 1, 2, 7, 64, 1001], [1, 2, 3, 8, 64]) func everyPositionIsOnOneRank(
    _ count: Int, _ ranks: Int
  ) {
    for order in SequenceSharding.Order.allCases {
      let sharding = SequenceSharding(count, ranks: ranks, order)
      var owners = [Int](repeating: 0, count: count)
      for rank in 0..<ranks {
        let pieces = sharding.pieces(of: rank)
        #expect(
          pieces.allSatisfy { !$0.isEmpty } && pieces == pieces.sorted { $0.lowerBound < $1.lowerBound })
        for position in pieces.joined() { owners[position] += 1 }
        let share = Double(count) / Double(ranks)
        #expect(abs(Double(pieces.joined().count) - share) <= 2)
      }
      #expect(owners.allSatisfy { $0 == 1 })
    }
  }

  /// The pairs of queries and keys that a rank computes under a causal mask.
  @Test func zigzagMakesCausalWorkEven() {
    func work(_ order: SequenceSharding.Order) -> [Int] {
      (0..<8).map {
        SequenceSharding(4096, ranks: 8, order).pieces(of: $0).joined().reduce(0) { $0 + $1 + 1 }
      }
    }
    #expect(work(.zigzag).max() == work(.zigzag).min())
    #expect((work(.blocks).max() ?? 0) > 10 * (work(.blocks).min() ?? 0))
  }

  @Test func rowsFollowPieces() throws {
    let sharding = BatchSharding(lengths: [5, 0, 8], ranks: 2)
    let rows = try Tensor<Float>((0..<13).map { Float($0) }, shape: [13, 1])
    #expect(try sharding.rows(of: rows, rank: 0).elements.map { $0 } == [0, 3, 4, 5, 6, 11, 12])
    #expect(try sharding.rows(of: rows, rank: 1).elements.map { $0 } == [1, 2, 7, 8, 9, 10])
    #expect(sharding.positions(of: 0) == [0, 3, 4, 0, 1, 6, 7])
    #expect(sharding.pieces(of: 1).map(\.rows) == [0..<2, 2..<6])
    let error = #expect(throws: AttentionError.self) {
      try sharding.rows(of: rows.sliced(axis: 0, 0..<12), rank: 0)
    }
    #expect(error?.reason == "shape [12, 1] given, expected 13 rows for lengths [5, 0, 8]")
  }

  @Test func theHeaviestSequencesGoFirst() {
    let schedule = ReplicaSchedule(loads: [1, 9, 3, 3, 4, 2], ranks: 3)
    #expect(schedule.ranks == [1, 0, 2, 2, 1, 1])
    #expect((0..<3).map { schedule.sequences(of: $0) } == [[1], [0, 4, 5], [2, 3]])
    #expect(ReplicaSchedule(loads: [1, 1], ranks: 2, busy: [5, 0]).ranks == [1, 1])
    #expect(ReplicaSchedule(loads: [], ranks: 4).ranks.isEmpty)
  }
}
