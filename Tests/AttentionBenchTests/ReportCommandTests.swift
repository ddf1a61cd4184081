import Foundation
import TestSupport
import Testing

/// `attention-bench report` up to where Python takes over; `make test-report` checks the rest.
@Suite struct ReportCommandTests {
  private static let package = URL(fileURLWithPath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

  private static func results() throws -> TemporaryFile {
    var text = ResultText()
    text.add("a/f32/chosen", [1, 2])
    return try TemporaryFile(text.text)
  }

  private static func report(_ arguments: String..., in folder: URL = package) throws -> BenchProcess.Outcome
  {
    try BenchProcess(["report"] + arguments, in: folder).outcome()
  }

  /// A program that only says what it was asked.
  @Test func pythonIsAskedForThePage() throws {
    let file = try Self.results()
    let outcome = try Self.report(
      file.url.path, "-o", "page.html", "--charts=-x", "--python", "/bin/echo")
    #expect(outcome.code == 0, "\(outcome)")
    #expect(
      outcome.output
        == "-B Benchmarks/Report/report.py --output=page.html --charts=-x -- \(file.url.path)\n", "\(outcome)"
    )
    #expect(try Self.report(file.url.path, "--python", "/bin/false").code == 1)
  }

  /// Python is in a process group of its own, and would draw on.
  @Test func whoeverInterruptsItEndsPythonToo() throws {
    let file = try Self.results()
    let python = try TemporaryFile("#!/bin/sh\necho pid=$$, >&2\nexec sleep 60\n")
    try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: python.url.path)
    try python.handle.close()
    let bench = try BenchProcess(["report", file.url.path, "--python", python.url.path], in: Self.package)
    try bench.send(SIGINT, whenTold: ",")
    let outcome = try bench.outcome()
    #expect(outcome.code == 130 && outcome.output.isEmpty, "\(outcome)")
    let child = try #require(
      outcome.errors.split(separator: "=").last?.split(separator: ",").first.flatMap { Int32($0) })
    #expect(kill(child, 0) == -1 && errno == ESRCH, "\(outcome)")
  }

  @Test func whatIsMissingIsNamedInOneLine() throws {
    let (good, bad) = (try Self.results(), try TemporaryFile("[]"))
    let elsewhere = FileManager.default.temporaryDirectory
    for (outcome, words) in [
      (try Self.report(good.url.path, "--python", "/nonesuch/python"), "make report-setup"),
      (try Self.report(good.url.path, "--python", "/bin/echo", in: elsewhere), "package's folder"),
      (try Self.report(good.url.path, bad.url.path, "--python", "/bin/echo"), "expected an object"),
      (try Self.report("/nonesuch.json", "--python", "/bin/echo"), "/nonesuch.json: cannot be read"),
    ] {
      #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
      #expect(outcome.errors.split(separator: "\n").count == 1, "\(outcome)")
      #expect(outcome.errors.contains(words), "\(outcome)")
    }
  }

  @Test(arguments: [[], ["a.json", "--output", ""], ["a.json", "--python", ""], ["a.json", "--nonesuch"]])
  func wrongUsageIsExitCode64(arguments: [String]) throws {
    let outcome = try BenchProcess(["report"] + arguments).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("Usage:"), "\(outcome)")
  }
}
