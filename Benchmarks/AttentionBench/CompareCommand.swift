import ArgumentParser
import BenchmarkKit

/// Says what became slower from one run to another.
struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Say what became faster or slower from one run to another.",
    usage:
      "attention-bench compare <OLD.json> <NEW.json> ... [--fail-above 5%] [--only <name,…>] [--format <format>]",
    discussion: """
      Files are those of --format json, or google-benchmark's own with --benchmark_repetitions. Rows are paired by name. The exit code is 1 \
      where a row of ours became slower beyond the noise and by more than --fail-above, in every NEW.json where there are several, or \
      fails in one.

      Examples:
        attention-bench --format json --output before.json
        attention-bench --format json --output after.json
        attention-bench compare before.json after.json
        attention-bench compare before.json after.json once-more.json
        attention-bench compare before.json after.json --fail-above 10% --only bert-encode --format markdown
      """)

  @Argument(help: ArgumentHelp("What was measured before.", valueName: "OLD.json"))
  var old: String

  @Argument(
    help: ArgumentHelp(
      "What was measured after; again, to tell code from a neighbour.", valueName: "NEW.json"))
  var new: [String]

  @Option(
    help: ArgumentHelp("How much slower a row may become, a percentage: 5%, 2.5%.", valueName: "percent"))
  var failAbove = Percentage(value: 5)

  @Option(
    help: ArgumentHelp(
      "Only the rows of these shapes or names, with commas between them.", valueName: "name,…"))
  var only: String?

  @Option(
    help: "How the comparison is printed: table, markdown or json; table by default.",
    completion: .list(ComparisonFormat.allCases.map(\.rawValue)), transform: { try choice($0) })
  var format = ComparisonFormat.table

  func run() throws {
    let old = try ResultFile.load(path: old)
    let new = try new.map { (path: $0, file: try ResultFile.load(path: $0)) }
    let wanted = try wantedNames(in: old.rows + new.flatMap(\.file.rows))
    let comparison = try RepeatedComparison(
      old: old, new: new, threshold: 1 + failAbove.value / 100
    ) { row in
      wanted.map { $0.contains(row.shape) || $0.contains(row.name) } ?? true
    }
    Output.write([comparison.text(format)])
    if !comparison.regressions.isEmpty { throw ExitCode(1) }
  }

  private func wantedNames(in rows: [ResultFile.Row]) throws -> Set<String>? {
    guard let only else { return nil }
    let names = only.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    if let other = names.first(where: { name in !rows.contains { $0.shape == name || $0.name == name } }) {
      var shapes: [String] = []
      for row in rows where !shapes.contains(row.shape) { shapes.append(row.shape) }
      let known = shapes.count > 60 ? Array(shapes.prefix(60)) + ["…"] : shapes
      throw ValidationError("--only: row \(unknown(other, among: known))")
    }
    return Set(names)
  }
}

/// `5%`. A number without the sign could as well be a factor.
struct Percentage: ExpressibleByArgument {
  let value: Double

  init(value: Double) { self.value = value }

  /// Fails for what is not a decimal number from 0 to 1000 and a percent sign after it.
  init?(argument: String) {
    guard argument.hasSuffix("%"),
      argument.dropLast().allSatisfy({ $0.isASCII && ($0.isNumber || $0 == ".") }),
      let value = Double(argument.dropLast()), (0...1000).contains(value)
    else { return nil }
    self.value = value
  }

  var defaultValueDescription: String { String(value == value.rounded() ? "\(Int(value))%" : "\(value)%") }
}
