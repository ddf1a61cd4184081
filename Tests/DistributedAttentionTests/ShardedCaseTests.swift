import DistributedAttention
import DistributedCases
import Testing

/// All cases on ranks that are threads.
struct ShardedCaseTests {
  @Test(arguments: [1, 2, 3, 4, 7]) func everyRankGetsWhatItGetsAlone(_ ranks: Int) throws {
    let cases = ShardedCases.all.filter { $0.canSplit(ranks) }
    let failures = try onRanks(ranks) { communicator in
      try cases.compactMap { one in
        try one.failure(over: communicator).map { "rank \(communicator.rank), \(one): \($0)" }
      }
    }
    #expect(failures.joined().isEmpty, "\(failures.joined().prefix(5).joined(separator: "\n"))")
    #expect(cases.count > 200)
  }
}
