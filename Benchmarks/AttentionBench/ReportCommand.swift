import ArgumentParser
import BenchmarkKit
import Foundation

/// Writes a page with charts of what was measured.
struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Write a page with charts of what was measured.",
    discussion: """
      One file that loads nothing: the machine, throughput, a roofline, how times spread over the rounds, and a table beside other engines. \
      Files are those of --format json. Charts are drawn by Vega-Lite in Python, which `make report-setup` installs in .build/report; run \
      this in the package's folder.

      Examples:
        attention-bench report results.json -o report.html
        attention-bench report f32.json bf16.json -o report.html --charts docs/charts
      """)

  @Argument(help: ArgumentHelp("What was measured, a section each.", valueName: "RESULTS.json"))
  var results: [String]

  @Option(name: .shortAndLong, help: ArgumentHelp("The page.", valueName: "file"))
  var output = "report.html"

  @Option(
    help: ArgumentHelp("A folder for the charts as SVG and PNG, in light and dark.", valueName: "folder"))
  var charts: String?

  @Option(help: ArgumentHelp("A Python that has Benchmarks/Report/requirements.txt.", valueName: "path"))
  var python = ".build/report/bin/python"

  private static let script = "Benchmarks/Report/report.py"

  func validate() throws {
    for (name, value) in [("--output", output), ("--python", python)] where value.isEmpty {
      throw ValidationError("\(name) is empty, expected a path")
    }
  }

  func run() throws {
    // What is wrong with a file is said here, as `compare` says it.
    for path in results { _ = try ResultFile.load(path: path) }
    guard FileManager.default.fileExists(atPath: Self.script) else {
      throw BenchmarkError("\(Self.script) is not here: run this in the package's folder")
    }
    guard FileManager.default.isExecutableFile(atPath: python) else {
      throw BenchmarkError(
        "\(python): no such program; `make report-setup` installs .build/report, --python names another")
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments =
      ["-B", Self.script, "--output=\(output)"] + (charts.map { ["--charts=\($0)"] } ?? []) + ["--"] + results
    // It is in a process group of its own, where the terminal's Ctrl-C does not reach it.
    Interruption.watch()
    try process.run()
    while process.isRunning, !Interruption.isRequested { usleep(20_000) }
    if let code = Interruption.exitCode {
      if process.isRunning { process.terminate() }
      process.waitUntilExit()
      throw ExitCode(code)
    }
    process.waitUntilExit()
    if process.terminationStatus != 0 { throw ExitCode(1) }
  }
}
