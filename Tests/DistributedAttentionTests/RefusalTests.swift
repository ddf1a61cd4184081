import Attention
import DistributedAttention
import Testing

/// Arguments of the last rank that do not fit: it refuses them, and the others hear which and why, before anything is sent.
struct RefusalTests {
  private static let sharding = BatchSharding(lengths: [24], ranks: 3)

  private struct Call: Sendable {
    var attend = ScaledDotProductAttention(mask: .causal, on: WorkerPool(threads: 1))
    var sharding = RefusalTests.sharding
    var queries = Tensor<Float>.normal([8, 6, 16], seed: 1)
    var keys: any KeyValueTensor = Tensor<Float>.normal([8, 3, 16], seed: 2)
    var keysPerMessage = 4
    var rowsPerPass = 4

    func run(over communicator: LocalCommunicator) throws {
      var sharded = ShardedAttention(attend, over: communicator)
      (sharded.keysPerMessage, sharded.rowsPerPass) = (keysPerMessage, rowsPerPass)
      _ = try sharded.prefill(queries, keys.stored, Tensor<Float>.normal([8, 3, 16], seed: 3), sharding)
    }
  }

  /// - Parameter change: what is wrong on the last rank.
  private func expect(
    _ argument: String, _ reason: String, _ change: @Sendable @escaping (inout Call) throws -> Void
  ) throws {
    let ends = try onRanks(3) { communicator -> DistributedError? in
      var call = Call()
      if communicator.rank == 2 { try change(&call) }
      do {
        try call.run(over: communicator)
        return nil
      } catch { return error as? DistributedError }
    }
    guard case .refused(let error)? = ends[2] else {
      Issue.record("the rank itself: \(String(describing: ends[2]))")
      return
    }
    #expect(error.argument == argument && error.reason.contains(reason), "\(error)")
    for end in ends[0..<2] {
      #expect(
        end
          == .disagreement(
            rank: 2, argument: argument, given: error.reason, expected: "arguments that fit"))
    }
  }

  @Test func whatDoesNotFitIsRefusedOnAllRanks() throws {
    try expect("sinks", "2 given, expected one for each of 6") { $0.attend.options.sinks = [1, 2] }
    try expect("mask", "2 ALiBi slopes given") { $0.attend.mask = .alibi(slopes: [1, 2]) }
    try expect("mask", "does not broadcast") { $0.attend.mask = .additive(Tensor<Float>.zeros([5, 24])) }
    try expect("mask", "a score modifier given") {
      $0.attend.mask = .modifier(ScoreModifier { score, _ in score })
    }
    try expect("mask", "2 offsets given") { $0.attend.mask = .causal(.offsets([1, 2])) }
    try expect("scale", "expected a finite number") { $0.attend.scale = .infinity }
    try expect("querySharding", "one over 2 ranks given") {
      $0.sharding = BatchSharding(lengths: [24], ranks: 2)
    }
    try expect("queries", "with 8 rows of this rank's") { $0.queries = .zeros([9, 6, 16]) }
    try expect("queries", "expected [rows, Hq, D]") { $0.queries = .zeros([8, 16]) }
    try expect("keys", "expected [rows, Hkv, D]") { $0.keys = Tensor<Float>.zeros([1, 8, 3, 16]) }
    try expect("packedKeys", "scales of shape [3] given") {
      $0.keys = QuantizedTensor(integers: .zeros([8, 3, 16]), scales: .zeros([3]))
    }
    try expect("keysPerMessage", "0 given") { $0.keysPerMessage = 0 }
    try expect("rowsPerPass", "0 given") { $0.rowsPerPass = 0 }
  }

  @Test func decodeRefusesSinksThatAreNotOneAHead() throws {
    let attend = ScaledDotProductAttention(options: AttentionOptions(sinks: [1]))
    let ends = try onRanks(2) { communicator -> Bool in
      do {
        _ = try ShardedAttention(attend, over: communicator).decode(
          Tensor<Float>.zeros([1, 4, 16]), lengths: [1], [], keyCounts: [0])
        return false
      } catch DistributedError.refused(let error) { return error.argument == "sinks" }
    }
    #expect(ends == [true, true])
  }
}
