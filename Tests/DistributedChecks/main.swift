// The cases of DistributedCases over MPI: mpirun -n 3 distributed-checks. Without the trait MPI, over as many threads as an argument says.
//
// `stall RANK` and `die RANK` are for the check of what becomes of the others: that rank stops, or ends, in the middle of the cases.

import DistributedAttention
import DistributedCases
import Foundation

func run(over communicator: some Communicator, failing: (way: String, rank: Int)? = nil) throws -> Bool {
  let cases = ShardedCases.all.filter { $0.canSplit(communicator.size) }
  var failed: Int64 = 0
  for (index, one) in cases.enumerated() {
    if let failing, failing.rank == communicator.rank, index == cases.count / 2 {
      kill(getpid(), failing.way == "die" ? SIGKILL : SIGSTOP)
    }
    if let failure = try one.failure(over: communicator) {
      failed += 1
      FileHandle.standardError.write(Data("rank \(communicator.rank), \(one): \(failure)\n".utf8))
    }
  }
  let sum = try communicator.allGather([failed]).reduce(0, +)
  if communicator.rank == 0 {
    print("ranks \(communicator.size): \(cases.count * communicator.size - Int(sum)) passed, \(sum) failed")
  }
  return sum == 0
}

let words = CommandLine.arguments.dropFirst()
let failing = words.count == 2 ? Int(words[words.startIndex + 1]).map { (words[words.startIndex], $0) } : nil
#if MPI
  let seconds = ProcessInfo.processInfo.environment["TIMEOUT"].flatMap(Double.init) ?? 60
  let communicator = try MPICommunicator.world(timeout: .seconds(seconds), largestMessage: 1000)
  do {
    let isGood = try run(over: communicator, failing: failing)
    communicator.finalize()
    exit(isGood ? 0 : 1)
  } catch {
    communicator.abort(error)
  }
#else
  let ranks = words.first.flatMap(Int.init) ?? 2
  let results = try LocalCommunicator.run(ranks: ranks) { try run(over: $0) }
  exit(results.allSatisfy { $0 } ? 0 : 1)
#endif
