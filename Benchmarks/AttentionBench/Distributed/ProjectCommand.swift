import ArgumentParser
import Attention
import BenchmarkKit
import DistributedAttention
import TensorFiles

/// Projects attention onto a cluster, and checks the model on ranks of this machine.
struct ProjectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "project",
    abstract: "Project attention onto a cluster from rates measured here, or check the model on ranks.",
    discussion: """
      Measures what one node does in a second, prefill in the pieces of a ring, decode and merging, and says how long \
      a causal prompt and a decoded token of one layer would take on 1, 2, 4, … such nodes that a link of the given \
      rate and latency connects. Formulas: docs/Distributed.md. The pick is that of DistributedPlan.

      With --check all ranks measure these rates at the same time and the link by messages alone, in turns with the \
      real calls; the model's times are printed beside theirs. Exit code 0 whatever the ratio is.

      EXAMPLES:
        attention-bench project --nodes 64 --link 100Gbps --latency 2us --context 1M --plot projection.svg
        attention-bench project --check --ranks 2                         ranks that are threads, without MPI
        mpirun -n 2 --bind-to core attention-bench project --check        a build with the trait MPI
      """)

  @Option(help: ArgumentHelp("The most nodes.", valueName: "n"))
  var nodes = 64

  @Option(
    help: ArgumentHelp("Rate of a node's link in each direction.", valueName: "rate"),
    transform: { try (text: $0, bytes: Quantity.bytesPerSecond($0)) })
  var link = (text: "100Gbps", bytes: 12.5e9)

  @Option(
    help: ArgumentHelp("Time until a message without bytes is there.", valueName: "time"),
    transform: { try (text: $0, seconds: Quantity.seconds($0)) })
  var latency = (text: "2us", seconds: 2e-6)

  @Option(
    help: ArgumentHelp("Tokens of the prompt, and keys that are decoded over: 1M, 128k, …", valueName: "n"),
    transform: { try Quantity.count($0) })
  var context = 1 << 20

  @Option(help: ArgumentHelp("Query heads.", valueName: "n"))
  var heads = 8

  @Option(help: ArgumentHelp("Key/value heads.", valueName: "n"))
  var keyHeads = 2

  @Option(help: ArgumentHelp("Width of a head.", valueName: "n"))
  var width = 128

  @Option(
    help: ArgumentHelp("Element type: f32, f64, f16 or bf16.", valueName: "type"),
    transform: { try choice($0) as BenchType })
  var dtype = BenchType.bf16

  @Option(
    help: ArgumentHelp("Threads of a node, or of a rank. (default: what the process may use)", valueName: "n")
  )
  var threads: Int?

  @Option(help: ArgumentHelp("Rounds of measurements.", valueName: "n"))
  var rounds = 5

  @Option(
    help: ArgumentHelp("Write a chart there, as SVG.", valueName: "file"), completion: .file())
  var plot: String?

  @Flag(help: "Predict calls of ranks, and measure them.")
  var check = false

  @Option(help: ArgumentHelp("Ranks of --check, where there is no MPI.", valueName: "n"))
  var ranks = 2

  @Option(
    help: ArgumentHelp("Tokens of the prompt of --check.", valueName: "n"),
    transform: { try Quantity.count($0) })
  var prompt = 16_384

  @Option(
    help: ArgumentHelp("Keys that --check decodes over.", valueName: "n"),
    transform: { try Quantity.count($0) })
  var keys = 131_072

  @Option(help: ArgumentHelp("Seconds that a rank waits for another.", valueName: "n"))
  var timeout = 300

  func validate() throws {
    for (name, value, most) in [
      ("--nodes", nodes, 4096), ("--context", context, 1 << 26), ("--heads", heads, 4096),
      ("--key-heads", keyHeads, 4096), ("--width", width, 4096), ("--rounds", rounds, 1000),
      ("--ranks", ranks, 256), ("--prompt", prompt, 1 << 26), ("--keys", keys, 1 << 30),
      ("--timeout", timeout, 86_400),
    ] where !(1...most).contains(value) {
      throw ValidationError("\(name): \(value) given, expected 1 to \(most)")
    }
    guard heads % keyHeads == 0 else {
      throw ValidationError("--key-heads: \(keyHeads) given, expected a divisor of \(heads) heads")
    }
    if let threads { try checkThreads(threads) }
    if check && plot != nil { throw ValidationError("--plot draws a projection, and --check makes none") }
  }

  func run() throws {
    if check { try runCheck(dtype.element) } else { try runProjection(dtype.element) }
  }

  private func call<Element: BenchElement>(
    _: Element.Type, prompt: Int, keys: Int
  ) -> ProjectedCall {
    ProjectedCall(
      prompt: prompt, keys: keys, heads: heads, keyHeads: keyHeads, width: width, type: Element.elementType)
  }

  private func runProjection<Element: BenchElement>(_ type: Element.Type) throws {
    let writer = try plot.map { try PlotWriter($0) }
    let call = call(type, prompt: context, keys: context)
    let needed = LocalWork<Element>.memory(call, ranks: 1)
    guard needed < AvailableMemory.bytes else {
      throw BenchmarkError("measuring this takes \(short(needed / 1e9)) GB, more than this machine has left")
    }
    let pool = threads.map { WorkerPool(threads: $0) } ?? .shared
    let rates = try LocalWork<Element>.ratesAlone(call, rounds: rounds, on: pool)
    let model = ClusterModel(rates, ClusterModel.Link(bytes: link.bytes, latency: latency.seconds))
    let projection = try Projection(call, nodes: nodes, model)
    Output.write(projection.lines(threads: pool.threadCount))
    try writer?.write(projection.chart(threads: pool.threadCount).svg())
  }

  private func runCheck<Element: BenchElement>(_ type: Element.Type) throws {
    let check = ProjectionCheck<Element>(call: call(type, prompt: prompt, keys: keys), rounds: rounds)
    #if MPI
      let communicator = try MPICommunicator.world(timeout: .seconds(timeout))
      do {
        let lines = try check.lines(
          over: communicator, on: threads.map { WorkerPool(threads: $0) } ?? .shared)
        if communicator.rank == 0 { Output.write(lines) }
        communicator.finalize()
      } catch {
        communicator.abort(error)
      }
    #else
      let threads = threads ?? max(1, WorkerPool.shared.threadCount / ranks)
      let lines = try LocalCommunicator.run(ranks: ranks, timeout: .seconds(timeout)) { communicator in
        try check.lines(over: communicator, on: WorkerPool(threads: threads))
      }
      Output.write(lines[0])
    #endif
  }
}
