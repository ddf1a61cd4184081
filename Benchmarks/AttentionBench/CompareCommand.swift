import ArgumentParser
import BenchmarkKit

/// Shows two runs side by side.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Show the medians of two runs side by side.",
    discussion: """
      Files are those of --format json, or google-benchmark's own with --benchmark_repetitions. Rows are paired by name. \
      Runs of different hours differ by what else the machine did: whether a change helped, measure --against tells.

      Examples:
        attention-bench compare before.json after.json
        attention-bench compare before.json after.json --only bert-encode --format markdown
      """)

  @Argument(help: ArgumentHelp("What was measured before.", valueName: "OLD.json"))
  var old: String

  @Argument(help: ArgumentHelp("What was measured after.", valueName: "NEW.json"))
  var new: String

  @Option(
    help: ArgumentHelp(
      "Only the rows of these shapes or names, with commas between them.", valueName: "name,…"))
  var only: String?

  @Option(
    help: "How the comparison is printed: table or markdown; table by default.",
    completion: .list(TableFormat.allCases.map(\.rawValue)), transform: { try choice($0) })
  var format = TableFormat.table

  func run() throws {
    let (old, new) = try (ResultFile.load(path: old), ResultFile.load(path: new))
    let wanted = try only.map { try Self.names($0, in: old.rows + new.rows) }
    Output.write(try Comparison(old: old, new: new, only: wanted).lines(format))
  }

  private static func names(_ only: String, in rows: [ResultFile.Row]) throws -> Set<String> {
    let names = Set(only.split(separator: ",", omittingEmptySubsequences: false).map(String.init))
    let shapes = Set(rows.map(\.shape))
    if let other = names.subtracting(shapes).subtracting(rows.map(\.name)).min() {
      throw ValidationError("--only: row \(unknown(other, among: shapes.sorted()))")
    }
    return names
  }
}
