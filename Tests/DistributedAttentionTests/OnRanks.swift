import DistributedAttention

/// Runs `body` on ranks that are threads, with much patience: beside other suites a thread may wait minutes for its CPU, or for the pool.
func onRanks<Result: Sendable>(
  _ ranks: Int, _ body: @escaping @Sendable (LocalCommunicator) throws -> Result
) throws -> [Result] {
  try LocalCommunicator.run(ranks: ranks, timeout: .seconds(1200), body)
}
