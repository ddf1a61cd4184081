import ArgumentParser
import BenchmarkKit
import Parallelism

/// Names machines whose results can be compared with this one's.
struct KindCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "kind",
    abstract: "Print what results of machines like this one are called: amd-epyc-2-threads.",
    discussion: "The processor's name and the threads that this process may use.")

  func run() throws {
    Output.write([
      MachineDescription.kind(
        processor: MachineDescription().processor, threads: WorkerPool.shared.threadCount)
    ])
  }
}
