import ArgumentParser
import CAttention

/// How fast attention runs on this machine, and whether it is right.
struct BenchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "attention-bench",
    abstract: "How fast attention runs on this machine, and whether it is right.",
    version: ATTENTION_VERSION,
    subcommands: [
      MeasureCommand.self, ModelCommand.self, PlanesCommand.self, CompareCommand.self, AccuracyCommand.self,
      OverheadCommand.self, DistributedCommand.self, ProjectCommand.self,
      ReportCommand.self, KindCommand.self, AnswerCommand.self, ModelAnswerCommand.self,
    ],
    defaultSubcommand: MeasureCommand.self)
}

/// Runs the command line of this process, and ends it.
package func runBenchCommand() { BenchCommand.main() }
