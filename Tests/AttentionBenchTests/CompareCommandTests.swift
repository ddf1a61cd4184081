import BenchmarkKit
import Foundation
import TestSupport
import Testing

/// `attention-bench compare` as its users run it.
@Suite struct CompareCommandTests {
  private static func run(_ factor: Double = 1) -> ResultText {
    var text = ResultText()
    for index in 0..<3 {
      text.add("s\(index)/f32/chosen", [9, 1, 2].map { $0 * Double(index + 1) * factor })
    }
    return text
  }

  private static func compare(
    _ old: ResultText, _ new: ResultText, _ arguments: String...
  ) throws -> BenchProcess.Outcome {
    let files = try (TemporaryFile(old.text), TemporaryFile(new.text))
    return try BenchProcess(["compare", files.0.url.path, files.1.url.path] + arguments).outcome()
  }

  @Test func mediansStandSideBySide() throws {
    var (old, new) = (Self.run(), Self.run(0.5))
    for (name, in0, in1) in [("broken", nil, "error_occurred"), ("left", "skipped", nil)]
      as [(String, String?, String?)]
    {
      if let in0 { old.add("\(name)/f32/chosen", in0) } else { old.add("\(name)/f32/chosen", [4]) }
      if let in1 { new.add("\(name)/f32/chosen", in1) } else { new.add("\(name)/f32/chosen", [4]) }
    }
    old.add("gone/f32/chosen", [1])
    let outcome = try Self.compare(old, new)
    #expect(outcome.code == 0 && outcome.errors.isEmpty, "\(outcome)")
    let lines = outcome.output.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    #expect(
      lines.dropLast() == [
        ["row", "OLD", "ms", "NEW", "ms", "OLD/NEW"], ["s0/f32/chosen", "2.00", "1.00", "2.000"],
        ["s1/f32/chosen", "4.00", "2.00", "2.000"], ["s2/f32/chosen", "6.00", "3.00", "2.000"],
        ["broken/f32/chosen", "4.00", "failed"], ["left/f32/chosen", "skipped", "4.00"],
        ["gone/f32/chosen", "1.00"],
      ], "\(outcome)")
    let some = try Self.compare(old, new, "--only", "s2,s0/f32/chosen", "--format", "markdown")
    #expect(some.output.split(separator: "\n").count { $0.hasPrefix("| s") } == 2, "\(some)")
  }

  @Test func otherCircumstancesAreTold() throws {
    var (old, new) = (Self.run(), Self.run())
    old.context["governor"] = "powersave"
    new.context["threads"] = 4
    new.context["engines"] = ["numpy": "2.6.0"]
    new.context["noise"] = ["3 % of the time was stolen\nby the host"]
    new.context["precision"] = ["2 of 9 medians\u{1B}[31m"]
    let lines = try Self.compare(old, new).output.split(separator: "\n")
    #expect(
      lines.prefix(5) == [
        "threads: 2 in OLD, 4 in NEW", "frequency governor: powersave in OLD, none in NEW",
        "engines: numpy=2.5.0 in OLD, numpy=2.6.0 in NEW",
        "NEW was disturbed: 3 % of the time was stolen by the host",
        "NEW is less sure: 2 of 9 medians [31m",
      ])
  }

  @Test func markdownIsNeitherBrokenNorHTML() throws {
    var text = Self.run()
    text.add("a|b/<script>/*chosen*", [1])
    let outcome = try Self.compare(text, text, "--format", "markdown")
    #expect(outcome.output.contains(#"| a\|b/\<script\>/\*chosen\* |"#), "\(outcome)")
  }

  @Test(arguments: [
    (["--only", "s22"], #"row "s22" is unknown; did you mean s2? There are s0, s1"#),
    (["--only", ""], "--only"), (["--format", "json"], "There are table, markdown"),
    (["third.json"], "third.json"),
  ])
  func wrongUsageIsExitCode64(arguments: [String], words: String) throws {
    let file = try TemporaryFile(Self.run().text)
    let outcome = try BenchProcess(["compare", file.url.path, file.url.path] + arguments).outcome()
    #expect(outcome.code == 64 && outcome.output.isEmpty && outcome.errors.contains(words), "\(outcome)")
  }

  @Test func filesThatCannotBeUsedEndInOneLine() throws {
    var other = ResultText()
    other.add("other/f32/chosen", [1])
    let unlike = try Self.compare(Self.run(), other)
    #expect(unlike.code == 1 && unlike.errors == "Error: no row is in both files\n", "\(unlike)")
    let (good, bad) = try (TemporaryFile(Self.run().text), TemporaryFile("{"))
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
