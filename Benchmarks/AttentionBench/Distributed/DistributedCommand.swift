import ArgumentParser
import Attention
import BenchmarkKit
import DistributedAttention

/// Measures attention over several ranks.
struct DistributedCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "distributed",
    abstract: "Measure attention over several ranks, on MPI or on threads of this process.",
    discussion: """
      mpirun -n 2 --bind-to core attention-bench distributed        a build with the trait MPI
      attention-bench distributed --ranks 2                         ranks that are threads, without MPI

      Each way is computed by all ranks, and then by rank 0 alone on its own threads, while the others sleep. Times are \
      medians of rounds, of the slowest rank. Efficiency is the time alone over the time together, times the number of \
      ranks. What is hidden is the part of the messages' own time during which ranks had something to compute; \
      what a rank then waits for others, which are behind in their work, stands apart. \
      Memory is the most that inputs, results and what is computed between take of a process, of the rank that takes most; \
      the share of a rank is what one takes alone over the number of ranks.
      """)

  @Option(help: ArgumentHelp("Ranks, where there is no MPI.", valueName: "n"))
  var ranks = 2

  @Option(help: ArgumentHelp("Tokens of the prompt, for the ways that compute one.", valueName: "n"))
  var prompt = 16_384

  @Option(help: ArgumentHelp("Keys that are decoded over.", valueName: "n"))
  var keys = 131_072

  @Option(help: ArgumentHelp("Query heads.", valueName: "n"))
  var heads = 8

  @Option(help: ArgumentHelp("Key/value heads.", valueName: "n"))
  var keyHeads = 2

  @Option(help: ArgumentHelp("Width of a head.", valueName: "n"))
  var width = 128

  @Option(help: "Of queries, keys and values.")
  var type = DistributedType.bfloat16

  @Option(help: ArgumentHelp("Keys of one message of the ring.", valueName: "n"))
  var keysPerMessage = 4096

  @Option(
    help: ArgumentHelp(
      "Rows of a rank that keys come for at a time in the ring; all by default. Fewer take less memory and more messages.",
      valueName: "n"))
  var rowsPerPass: Int?

  @Option(help: ArgumentHelp("Rounds of each way.", valueName: "n"))
  var rounds = 3

  @Option(
    help: ArgumentHelp(
      "Of ring, heads, tree and sequences, with commas between; all by default.", valueName: "list"),
    transform: { try CommaList<DistributedWay>(argument: $0) })
  var ways = CommaList<DistributedWay>(DistributedWay.allCases)

  @Option(help: ArgumentHelp("Seconds that a rank waits for another.", valueName: "n"))
  var timeout = 300

  func validate() throws {
    for (name, value) in [
      ("--ranks", ranks), ("--prompt", prompt), ("--keys", keys), ("--heads", heads),
      ("--key-heads", keyHeads),
      ("--width", width), ("--keys-per-message", keysPerMessage), ("--rows-per-pass", rowsPerPass ?? 1),
      ("--rounds", rounds), ("--timeout", timeout),
    ] where value < 1 {
      throw ValidationError("\(name): \(value) given, expected 1 or more")
    }
    guard heads % keyHeads == 0 else {
      throw ValidationError("--key-heads: \(keyHeads) given, expected a divisor of \(heads) heads")
    }
  }

  private var usesMPI: Bool {
    #if MPI
      true
    #else
      false
    #endif
  }

  func run() throws {
    switch type {
    case .bfloat16: try measure { BFloat16($0) }
    case .float32: try measure { $0 }
    }
  }

  private func measure<Element: AttentionElement>(_ rounded: @escaping @Sendable (Float) -> Element) throws {
    let study = DistributedStudy(
      prompt: prompt, keys: keys, heads: heads, keyHeads: keyHeads, width: width, rounds: rounds,
      ways: ways.values, keysPerMessage: keysPerMessage, rowsPerPass: rowsPerPass ?? .max,
      ranksAreProcesses: usesMPI, rounded: rounded)
    #if MPI
      let communicator = try MPICommunicator.world(timeout: .seconds(timeout))
      do {
        let lines = try study.lines(over: communicator, on: .shared)
        if communicator.rank == 0 { Output.write(lines) }
        communicator.finalize()
      } catch {
        communicator.abort(error)
      }
    #else
      let threads = max(1, WorkerPool.shared.threadCount / ranks)
      let lines = try LocalCommunicator.run(ranks: ranks, timeout: .seconds(timeout)) { communicator in
        try study.lines(over: communicator, on: WorkerPool(threads: threads))
      }
      Output.write(lines[0])
    #endif
  }
}

/// A type of queries, keys and values.
enum DistributedType: String, CaseIterable, ExpressibleByArgument {
  case bfloat16, float32
}
