// The cases of DistributedCases over MPI, and messages of unexpected lengths: mpirun -n 3 distributed-checks. Without the trait MPI, the cases
// over as many threads as an argument says.
//
// `stall RANK` and `die RANK` are for the check of what becomes of the others: that rank stops, or ends, in the middle of the cases. `threads` says
// how many threads a rank has.

import Attention
import DistributedAttention
import DistributedCases
import Foundation

func report(_ line: String) { FileHandle.standardError.write(Data("\(line)\n".utf8)) }

/// How many checks of all ranks failed, and how many there were.
func run(
  over communicator: some Communicator, failing: (way: String, rank: Int)? = nil
) throws -> (failed: Int, all: Int) {
  let cases = ShardedCases.all.filter { $0.canSplit(communicator.size) }
  var failed = 0
  for (index, one) in cases.enumerated() {
    if let failing, failing.rank == communicator.rank, index == cases.count / 2 {
      kill(getpid(), failing.way == "die" ? SIGKILL : SIGSTOP)
    }
    if let failure = try one.failure(over: communicator) {
      failed += 1
      report("rank \(communicator.rank), \(one): \(failure)")
    }
  }
  return (
    try communicator.allGather([Int64(failed)]).reduce(0) { $0 + Int($1) }, cases.count * communicator.size
  )
}

let words = Array(CommandLine.arguments.dropFirst())
let failing = words.count == 2 ? Int(words[1]).map { (words[0], $0) } : nil
if words == ["threads"] {
  print(WorkerPool.shared.threadCount)
  exit(0)
}
#if MPI
  let seconds = ProcessInfo.processInfo.environment["TIMEOUT"].flatMap(Double.init) ?? 60
  let communicator = try MPICommunicator.world(timeout: .seconds(seconds), largestMessage: 1000)
  do {
    var (failed, all) = try run(over: communicator, failing: failing)
    // Messages that MPI sends at once, and those whose receivers it asks first.
    for over in [communicator, try .world(timeout: .seconds(seconds), largestMessage: 200_000)] {
      let lengths = OtherLengths(over)
      let failures = try lengths.failures()
      for failure in failures { report("rank \(over.rank), \(failure)") }
      failed += try over.allGather([Int64(failures.count)]).reduce(0) { $0 + Int($1) }
      all += lengths.count * over.size
    }
    if communicator.rank == 0 {
      print("ranks \(communicator.size): \(all - failed) passed, \(failed) failed")
    }
    communicator.finalize()
    exit(failed == 0 ? 0 : 1)
  } catch {
    communicator.abort(error)
  }
#else
  let ranks = words.first.flatMap(Int.init) ?? 2
  let results = try LocalCommunicator.run(ranks: ranks) { try run(over: $0) }
  let (failed, all) = results[0]
  print("ranks \(ranks): \(all - failed) passed, \(failed) failed")
  exit(failed == 0 ? 0 : 1)
#endif
