import Attention
import AttentionBench
import BenchmarkKit
import Testing

/// The model's arithmetic, by hand.
struct ClusterModelTests {
  /// Powers of two, so that seconds are exact.
  private let model = ClusterModel(
    .init(operations: 64, keyBytes: 32, mergedNumbers: 16), .init(bytes: 128, latency: 0.25))

  private func block(_ compute: Double, _ bytes: Int = 0) -> ClusterModel.Block {
    .init(operations: 64 * compute, mergedNumbers: 0, bytes: bytes, messages: bytes == 0 ? 0 : 2)
  }

  @Test func oneRankComputesAndNothingElse() {
    let own = ClusterModel.Block(operations: 128, mergedNumbers: 8)
    #expect(model.ring(own: [own, own], arriving: [], ranks: 1) == .init(seconds: 5, waiting: 0))
    #expect(
      model.heads(operations: 64, bytes: 0, messages: 0, ranks: 1) == .init(seconds: 1, waiting: 0))
    #expect(
      model.tree(keyBytes: 64, resultBytes: 100, mergedNumbers: 16, ranks: 1)
        == .init(seconds: 2, waiting: 0))
  }

  /// Two ranks agree in 0.25 + 32 / 128 = 0.5 s, and a message of 64 bytes in two parts takes 0.5 + 0.5 s.
  @Test func messagesHideBehindArithmetic() {
    // There at 1.5, 2.5 and, once the first of them is done at 5.5, at 6.5: just in time.
    let hidden = model.ring(
      own: [block(4)], arriving: [block(1, 64), block(1, 64), block(1, 64)], ranks: 2)
    #expect(hidden == .init(seconds: 7.5, waiting: 0.5))
  }

  @Test func messagesThatTakeLongerAreWaitedFor() {
    // 0.5 agreed, 1.0 own done, ready at 1.5: waits 0.5, done 1.75; ready 2.5: waits 0.75, done 2.75.
    let shown = model.ring(
      own: [block(0.5)], arriving: [block(0.25, 64), block(0.25, 64)], ranks: 2)
    #expect(shown == .init(seconds: 2.75, waiting: 0.5 + 0.5 + 0.75))
  }

  @Test func noMoreThanTwoMessagesAreOnTheirWay() {
    // The third comes from 5.5 on, when the first block is done and its room free, though its link is idle from 2.5 on.
    let blocks = [block(4, 64), block(0.5, 64), block(1, 64)]
    #expect(
      model.ring(own: [], arriving: blocks, ranks: 2)
        == .init(seconds: 1.5 + 4 + 0.5 + 0.5 + 1, waiting: 0.5 + 1 + 0.5))
  }

  @Test func headsWaitForAllTheirMessages() {
    // 2 · 0.25 + 3 · 32 / 128 agreed by four ranks, 6 messages and 128 bytes, then 2 s.
    #expect(
      model.heads(operations: 128, bytes: 128, messages: 6, ranks: 4)
        == .init(seconds: 1.25 + 2.5 + 2, waiting: 3.75))
  }

  @Test func treesGatherInRounds() {
    // Five ranks: three rounds of 0.25, 4 · 32 bytes agreed, 4 · 64 gathered; five results of 16 numbers merged.
    let waiting = 0.75 + 1 + 0.75 + 2
    #expect(
      model.tree(keyBytes: 16, resultBytes: 64, mergedNumbers: 16, ranks: 5)
        == .init(seconds: waiting + 0.5 + 5, waiting: waiting))
  }
}

/// What calls are on ranks.
struct ProjectedCallTests {
  private let call = ProjectedCall(
    prompt: 64, keys: 256, heads: 4, keyHeads: 2, width: 8, type: .bfloat16)
  private let model = ClusterModel(
    .init(operations: 1, keyBytes: 1, mergedNumbers: .infinity), .init(bytes: .infinity, latency: 0))

  @Test func pairsAreThoseThatACausalMaskLeaves() {
    for (queries, keys) in [(0..<9, 0..<9), (3..<7, 5..<6), (0..<3, 4..<9), (8..<12, 2..<5), (2..<20, 3..<7)]
    {
      let expected = queries.reduce(0) { sum, query in sum + keys.count { $0 <= query } }
      #expect(call.pairs(queries, keys) == expected, "\(queries) over \(keys)")
    }
  }

  /// With a link that takes no time, ranks divide the work of one: 64 · 65 / 2 pairs of 4 heads, 4 · 8 operations each.
  @Test func ranksDivideTheWork() throws {
    let operations = Double(64 * 65 / 2 * 4 * 32)
    for ranks in [1, 2] {
      let rows = try call.rows(ranks: ranks, model)
      #expect(rows.map(\.way) == [.prefill, .prefillByHeads, .decode])
      #expect(rows[0].time == .init(seconds: operations / Double(ranks), waiting: 0))
      #expect(rows[1].time == rows[0].time)
      // Keys and values of 2 heads, 8 numbers of 2 bytes.
      #expect(rows[2].time == .init(seconds: Double(256 * 64 / ranks), waiting: 0))
      #expect(rows.map(\.isPick).filter { $0 }.count == 2)
    }
    let four = try call.rows(ranks: 4, model)
    #expect(four.map(\.way) == [.prefill, .decode])
    #expect(four[0].time.seconds == operations / 4)
    #expect(four[1].sent.bytes == 3 * 4 * 9 * 4)
    #expect(four[1].memory < (try call.rows(ranks: 1, model)[2].memory))
  }

  @Test func quantitiesHaveUnits() throws {
    #expect(try Quantity.bytesPerSecond("100Gbps") == 12.5e9)
    #expect(try Quantity.bytesPerSecond("10Gbps") == 1.25e9)
    #expect(try Quantity.bytesPerSecond("1Tbps") == 125e9)
    #expect(try Quantity.bytesPerSecond("2.5Mbps") == 312_500)
    #expect(try abs(Quantity.seconds("2us") - 2e-6) < 1e-20)
    #expect(try abs(Quantity.seconds("50ns") - 50e-9) < 1e-20)
    #expect(try Quantity.seconds("1ms") == 1e-3)
    #expect(try Quantity.count("1M") == 1_048_576)
    #expect(try Quantity.count("128k") == 131_072)
    #expect(try Quantity.count("1000") == 1000)
    for text in [
      "", "1", "Gbps", "-1Gbps", "1e3Gbps", "1.2.3Gbps", "0Gbps", "infGbps", "nanGbps", "1 Gbps", "1GBps",
    ] {
      #expect(throws: BenchmarkError.self, "\(text)") { try Quantity.bytesPerSecond(text) }
    }
    for text in ["2", "us", "0us", "-2us"] {
      #expect(throws: BenchmarkError.self, "\(text)") { try Quantity.seconds(text) }
    }
    for text in ["", "0", "1.0001k", "1G", "99999999999999999999999", "k"] {
      #expect(throws: BenchmarkError.self, "\(text)") { try Quantity.count(text) }
    }
  }
}
