import BenchmarkKit
import Foundation
import TestSupport
import Testing

/// `attention-bench compare` as its users run it.
@Suite struct CompareCommandTests {
  private static func run(_ factor: Double = 1) -> ResultText {
    var text = ResultText()
    for index in 0..<6 {
      text.add("s\(index)/f32/chosen", rounds(Double(index + 1) * (index == 3 ? factor : 1)))
      text.add("s\(index)/f32/naive", rounds(10 * Double(index + 1)), cpus: 1)
    }
    return text
  }

  private static func compare(
    _ old: ResultText, _ new: ResultText, _ arguments: String...
  ) throws -> BenchProcess.Outcome {
    let files = try (TemporaryFile(old.text), TemporaryFile(new.text))
    return try BenchProcess(["compare", files.0.url.path, files.1.url.path] + arguments).outcome()
  }

  @Test func theExitCodeTellsARegression() throws {
    let same = try Self.compare(Self.run(), Self.run())
    #expect(same.code == 0 && same.errors.isEmpty, "\(same)")
    #expect(same.output.contains("ours: 1.000"), "\(same)")
    let slower = try Self.compare(Self.run(), Self.run(1.2))
    #expect(slower.code == 1 && slower.errors.isEmpty, "\(slower)")
    let lines = slower.output.split(separator: "\n").filter { $0.hasSuffix("slower") }
    #expect(lines.count == 1 && lines[0].hasPrefix("s3/f32/chosen"), "\(slower)")
    #expect(lines[0].contains("1.200"), "\(slower)")
    for arguments in [["--fail-above", "25%"], ["--only", "s2,s4/f32/chosen"]] {
      let outcome = try Self.compare(Self.run(), Self.run(1.2), arguments[0], arguments[1])
      #expect(outcome.code == 0, "\(outcome)")
    }
  }

  @Test func onlyWhatIsSlowerInEveryRunFails() throws {
    let files = try [Self.run(), Self.run(1.2), Self.run(), Self.run(1.2)].map { try TemporaryFile($0.text) }
    func compare(_ new: Int...) throws -> BenchProcess.Outcome {
      try BenchProcess(["compare"] + ([0] + new).map { files[$0].url.path }).outcome()
    }
    #expect(try compare(1, 2).code == 0)
    let twice = try compare(1, 3)
    #expect(twice.code == 1 && twice.errors.isEmpty, "\(twice)")
    #expect(twice.output.contains("NEW is \(files[1].url.path)\n"), "\(twice)")
    #expect(twice.output.contains("slower in every NEW, or failed in one: s3/f32/chosen\n"), "\(twice)")
    #expect(try compare(1, 2).output.contains("slower in every NEW, or failed in one: none\n"))
  }

  @Test func everyFormatHasEveryRow() throws {
    let json = try Self.compare(Self.run(), Self.run(1.2), "--format", "json")
    #expect(json.code == 1)
    let object = try #require(
      try JSONSerialization.jsonObject(with: Data(json.output.utf8)) as? [String: Any])
    let runs = try #require(object["comparisons"] as? [[String: Any]])
    let rows = try #require(runs.first?["rows"] as? [[String: Any]])
    #expect(runs.count == 1 && rows.count == 12 && object["has_regression"] as? Bool == true)
    #expect(object["regressions"] as? [String] == ["s3/f32/chosen"])
    #expect(
      rows.filter { $0["verdict"] as? String == "slower" }.map { $0["name"] as? String } == ["s3/f32/chosen"])
    let markdown = try Self.compare(Self.run(), Self.run(1.2), "--format", "markdown")
    #expect(markdown.output.split(separator: "\n").count { $0.hasPrefix("| s") } == 12, "\(markdown)")
  }

  @Test func markdownIsNeitherBrokenNorHTML() throws {
    var (old, new) = (Self.run(), Self.run())
    old.add("a|b/<script>/*chosen*", [1])
    new.add("a|b/<script>/*chosen*", [1])
    let outcome = try Self.compare(old, new, "--format", "markdown")
    #expect(outcome.output.contains(#"| a\|b/\<script\>/\*chosen\* |"#), "\(outcome)")
  }

  @Test(arguments: [
    ["--fail-above", "5"], ["--fail-above", "1.05"], ["--fail-above", "0.05"], ["--fail-above", "-5%"],
    ["--fail-above", "nan%"], ["--fail-above", "%"], ["--fail-above", "1e1%"], ["--fail-above", "2000%"],
    ["--fail-above", "5%%"], ["--only", "nonesuch"], ["--only", ""], ["--format", "csv"], ["--nonesuch"],
    ["--format", "jsno"],
  ]) func wrongUsageIsExitCode64(arguments: [String]) throws {
    let file = try TemporaryFile(Self.run().text)
    let outcome = try BenchProcess(["compare", file.url.path, file.url.path] + arguments).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors.contains("Usage:"), "\(outcome)")
  }

  @Test func wrongNamesNameTheNearest() throws {
    let file = try TemporaryFile(Self.run().text)
    for (arguments, words) in [
      (["--format", "jsno"], #""jsno" is unknown; did you mean json? There are table, markdown, json"#),
      (["--format", "x"], #""x" is unknown. There are table, markdown, json"#),
      (["--only", "s33"], #"row "s33" is unknown; did you mean s3? There are s0, s1"#),
    ] {
      let outcome = try BenchProcess(["compare", file.url.path, file.url.path] + arguments).outcome()
      #expect(outcome.code == 64 && outcome.errors.contains(words), "\(outcome)")
    }
  }

  @Test func filesThatCannotBeUsedEndInOneLine() throws {
    let good = try TemporaryFile(Self.run().text)
    let bad = try TemporaryFile("{")
    let outcome = try BenchProcess(["compare", good.url.path, bad.url.path]).outcome()
    #expect(outcome.code == 1 && outcome.output.isEmpty, "\(outcome)")
    #expect(outcome.errors == "Error: \(bad.url.path): not valid JSON\n", "\(outcome)")
  }

  @Test func machinesOfAKindHaveAName() throws {
    let outcome = try BenchProcess(["kind"]).outcome()
    #expect(
      outcome.code == 0 && outcome.output.hasSuffix("thread\(outcome.output.hasSuffix("s\n") ? "s" : "")\n"))
    #expect(
      MachineDescription.kind(processor: "Intel(R) Xeon(R) Platinum 8481C CPU @ 2.70GHz", threads: 8)
        == "intel-xeon-platinum-8481c-cpu-2-70ghz-8-threads")
    #expect(MachineDescription.kind(processor: "../<é>", threads: 1) == "unknown-1-thread")
  }
}
