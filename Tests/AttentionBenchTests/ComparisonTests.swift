import BenchmarkKit
import Foundation
import Testing

@Suite struct ComparisonTests {
  private static func compare(
    _ old: ResultText, _ new: ResultText, threshold: Double = 1.05
  ) throws -> [String: RowComparison] {
    let comparison = try Comparison(
      old: ResultFile.parse(old.data), new: ResultFile.parse(new.data), threshold: threshold)
    return Dictionary(uniqueKeysWithValues: comparison.rows.map { ($0.name, $0) })
  }

  /// Shapes of our kernel and the naive one, none of which changed; then what a test adds.
  private static func run(_ drift: Double = 1) -> ResultText {
    var text = ResultText()
    for index in 0..<20 {
      let time = Double(index + 1)
      // A run's moment: some tenths of a percent either way.
      let moment = drift == 1 ? 1 : 1 + 0.002 * sin(time * 2.1)
      text.add("s\(index)/f32/chosen", rounds(time * drift * moment))
      text.add("s\(index)/f32/naive", rounds(10 * time * drift * moment), cpus: 1)
    }
    return text
  }

  @Test func theSameIsTheSame() throws {
    let comparison = try Comparison(
      old: ResultFile.parse(Self.run().data), new: ResultFile.parse(Self.run().data), threshold: 1.05)
    #expect(comparison.rows.count == 40)
    #expect(comparison.rows.allSatisfy { $0.verdict == .same && $0.change?.ratio == 1 })
    #expect(comparison.geometricMean == 1)
    #expect(comparison.rows.allSatisfy { !$0.isRegression })
  }

  @Test func aSeventhIsSeenOnARow() throws {
    var (old, new) = (Self.run(), Self.run(1.001))
    old.add("x/f32/chosen", rounds(7))
    new.add("x/f32/chosen", rounds(8))
    old.add("y/f32/chosen", rounds(8))
    new.add("y/f32/chosen", rounds(7))
    // Not ours to answer for.
    old.add("z/f32/pytorch", rounds(7))
    new.add("z/f32/pytorch", rounds(14))
    let rows = try Self.compare(old, new)
    let slower = try #require(rows["x/f32/chosen"])
    let change = try #require(slower.change)
    #expect(slower.verdict == .slower && slower.isRegression)
    #expect(abs(change.ratio - 8.0 / 7) < 1e-9)
    #expect(change.interval.lowerBound > 1 && change.interval.upperBound < 1.3)
    #expect(rows["y/f32/chosen"]?.verdict == .faster)
    #expect(rows["z/f32/pytorch"]?.verdict == .slower && rows["z/f32/pytorch"]?.isRegression == false)
    #expect(rows.values.count { $0.isRegression } == 1)
    #expect(try Self.compare(old, new, threshold: 1.15)["x/f32/chosen"]?.verdict == .same)
  }

  /// A tenth on every row of ours, and on no other.
  @Test func aTenthIsSeenOnAllRowsTogether() throws {
    func text(_ factor: Double) -> ResultText {
      var text = ResultText()
      for index in 0..<20 {
        let time = Double(index + 1)
        text.add("s\(index)/f32/chosen", rounds(time * factor * (1 + 0.03 * sin(time * 2.1))))
        text.add("s\(index)/f32/naive", rounds(10 * time), cpus: 1)
      }
      return text
    }
    func regressions(_ old: ResultText, _ new: ResultText) throws -> [String] {
      try RepeatedComparison(
        old: ResultFile.parse(old.data), new: [("new", ResultFile.parse(new.data))], threshold: 1.05
      ).regressions
    }
    #expect(try regressions(text(1), text(1.1)) == [RepeatedComparison.altogether])
    #expect(try regressions(text(1), text(1.04)).isEmpty && regressions(text(1.1), text(1)).isEmpty)
    // The machine did that: what is not ours took as much longer.
    #expect(try regressions(Self.run(), Self.run(1.1)).isEmpty)
  }

  /// Where rounds are as far apart as the change is large, nothing follows from it.
  @Test func noisyRowsAreNotJudged() throws {
    var (old, new) = (Self.run(), Self.run())
    old.add("x/f32/chosen", rounds(7, count: 7, spread: 0.3))
    new.add("x/f32/chosen", rounds(7.7, count: 7, spread: 0.3))
    #expect(try Self.compare(old, new)["x/f32/chosen"]?.verdict == .same)
  }

  /// Two resamples of one round are the same, however far apart two runs are.
  @Test(arguments: [1, 3, 5]) func fewRoundsAreUnsettled(count: Int) throws {
    var (old, new) = (Self.run(), Self.run())
    old.add("x/f32/chosen", rounds(7, count: count, spread: 0))
    new.add("x/f32/chosen", rounds(14))
    old.add("y/f32/chosen", rounds(7))
    new.add("y/f32/chosen", rounds(3.5, count: count, spread: 0))
    old.add("z/f32/chosen", rounds(7, count: count, spread: 0))
    new.add("z/f32/chosen", rounds(7, count: count, spread: 0))
    let rows = try Self.compare(old, new)
    #expect(rows["x/f32/chosen"]?.verdict == .unsettled)
    #expect(
      rows["x/f32/chosen"]?.note == "\(count) rounds in OLD, 20 in NEW: too few to say how sure they are")
    #expect(rows["y/f32/chosen"]?.verdict == .unsettled)
    #expect(rows["z/f32/chosen"]?.verdict == .same)
    #expect(rows.values.allSatisfy { !$0.isRegression })
    old.add("w/f32/chosen", rounds(7, count: 6))
    new.add("w/f32/chosen", rounds(14, count: 6))
    #expect(try Self.compare(old, new)["w/f32/chosen"]?.verdict == .slower)
  }

  /// Whose a row is follows from the engines that the file names: nobody has to tell `compare` of a kernel that is new.
  @Test func aKernelThatIsNewIsOurs() throws {
    var (old, new) = (Self.run(), Self.run())
    for engine in ["sparse", "naive", "numpy"] {
      old.add("x/f32/\(engine)", rounds(7))
      new.add("x/f32/\(engine)", rounds(14))
    }
    let rows = try Self.compare(old, new, threshold: 1.05)
    #expect(rows["x/f32/sparse"]?.isOurs == true)
    #expect(rows["x/f32/naive"]?.isOurs == false && rows["x/f32/numpy"]?.isOurs == false)
    old = Self.run()
    new = Self.run()
    old.add("x/f32/sparse", rounds(7))
    new.add("x/f32/sparse", rounds(14))
    #expect(try Self.compare(old, new)["x/f32/sparse"]?.isRegression == true)
  }

  private static func regressions(_ old: ResultText, _ new: ResultText...) throws -> [String] {
    try RepeatedComparison(
      old: ResultFile.parse(old.data), new: new.map { ("new", try ResultFile.parse($0.data)) },
      threshold: 1.05
    ).regressions
  }

  @Test func onlyWhatIsSlowerInEveryRunCounts() throws {
    var runs = [Self.run(), Self.run(), Self.run()]
    // Once by itself, then another; the third one both times.
    for (name, times) in [("x", [7.0, 14, 7]), ("y", [7, 7, 14]), ("z", [7, 14, 14])] {
      for index in runs.indices { runs[index].add("\(name)/f32/chosen", rounds(times[index])) }
    }
    #expect(try Self.regressions(runs[0], runs[1]) == ["x/f32/chosen", "z/f32/chosen"])
    #expect(try Self.regressions(runs[0], runs[1], runs[2]) == ["z/f32/chosen"])
    #expect(try Self.regressions(runs[0], runs[1], runs[2], runs[0]) == [])
  }

  /// No neighbour makes a result wrong.
  @Test func whatIsWrongOnceIsWrong() throws {
    var (old, wrong, right) = (Self.run(), Self.run(), Self.run())
    old.add("x/f32/chosen", rounds(7))
    wrong.add("x/f32/chosen", failure: "off by 3")
    right.add("x/f32/chosen", rounds(7))
    #expect(try Self.regressions(old, wrong, right) == ["x/f32/chosen"])
    #expect(try Self.regressions(old, right, wrong) == ["x/f32/chosen"])
    #expect(try Self.regressions(old, right, right) == [])
  }

  @Test func whatTheMachineDidIsNotHeldAgainstTheCode() throws {
    var (old, new) = (Self.run(), Self.run())
    // The neighbours in the same rounds took as much longer.
    old.add("x/f32/chosen", rounds(7))
    new.add("x/f32/chosen", rounds(8.4))
    old.add("x/f32/numpy", rounds(70))
    new.add("x/f32/numpy", rounds(85))
    // Half the time is reading, which became a third slower.
    for (rate, time, text) in [(60.0, 10.0, 0), (40, 12.2, 1)] {
      let aggregate = ["kv_bytes": 3e8, "read_gbytes_per_s": rate]
      if text == 0 {
        old.add("y/f32/chosen", rounds(time), aggregate: aggregate)
      } else {
        new.add("y/f32/chosen", rounds(time), aggregate: aggregate)
      }
    }
    let rows = try Self.compare(old, new)
    #expect(rows["x/f32/chosen"]?.verdict == .same)
    #expect(rows["x/f32/chosen"]?.change?.machine.upperBound ?? 0 > 1.2)
    #expect(rows["y/f32/chosen"]?.verdict == .same)
    #expect(abs((rows["y/f32/chosen"]?.change?.machine.upperBound ?? 0) - 1.25) < 0.01)
  }

  @Test func anotherVersionOfAnEngineExcusesNothing() throws {
    var (old, new) = (Self.run(), Self.run())
    for (time, version) in [(7.0, "2.14"), (8.4, "2.15")] {
      var text = version == "2.14" ? old : new
      text.context["engines"] = ["pytorch": version]
      text.add("x/f32/chosen", rounds(time))
      text.add("x/f32/pytorch", rounds(2 * time))
      if version == "2.14" { old = text } else { new = text }
    }
    #expect(try Self.compare(old, new)["x/f32/chosen"]?.verdict == .slower)
    new.context["engines"] = ["pytorch": "2.14"]
    #expect(try Self.compare(old, new)["x/f32/chosen"]?.verdict == .same)
  }

  @Test func roundsBesideAnotherProcessDoNotCount() throws {
    var (old, new) = (Self.run(), Self.run())
    old.add("x/f32/chosen", rounds(7))
    new.add("x/f32/chosen", rounds(7))
    // In the first seven rounds somebody else took one CPU of two.
    for index in new.entries.indices where new.entries[index]["name"] as? String == "x/f32/chosen" {
      guard let round = new.entries[index]["repetition_index"] as? Int, round < 14 else { continue }
      new.entries[index]["real_time"] = 14
    }
    let rows = try Self.compare(old, new)
    #expect(rows["x/f32/chosen"]?.verdict == .same)
    #expect(abs((rows["x/f32/chosen"]?.change?.ratio ?? 0) - 1) < 0.02)
  }

  @Test func anotherShareOfTheCPUsIsUnsettled() throws {
    var (old, new) = (Self.run(), Self.run())
    old.add("x/f32/chosen", rounds(7), cpus: 2)
    new.add("x/f32/chosen", rounds(14), cpus: 1)
    // As slow, on as many CPUs: that is the code.
    old.add("y/f32/chosen", rounds(7), cpus: 2)
    new.add("y/f32/chosen", rounds(14), cpus: 2)
    let rows = try Self.compare(old, new)
    #expect(rows["x/f32/chosen"]?.verdict == .unsettled)
    #expect(rows["x/f32/chosen"]?.note == "ran on 2.00 CPUs in OLD, 1.00 in NEW")
    #expect(rows["x/f32/chosen"]?.isRegression == false)
    #expect(rows["y/f32/chosen"]?.verdict == .slower)
  }

  @Test func rowsThatAreNotInBothAreNamed() throws {
    var (old, new) = (Self.run(), Self.run())
    old.add("gone/f32/chosen", [1])
    new.add("come/f32/chosen", [1])
    old.add("broken/f32/chosen", [1])
    new.add("broken/f32/chosen", failure: "off by 3")
    old.add("mended/f32/chosen", failure: "off by 3")
    new.add("mended/f32/chosen", [1])
    old.add("left/f32/chosen", [1])
    new.add("left/f32/chosen", skipped: "no memory")
    let rows = try Self.compare(old, new)
    #expect(rows["gone/f32/chosen"]?.verdict == .onlyInOld)
    #expect(rows["come/f32/chosen"]?.verdict == .onlyInNew)
    #expect(rows["broken/f32/chosen"]?.verdict == .failed)
    #expect(rows["broken/f32/chosen"]?.note == "NEW: off by 3")
    #expect(rows["mended/f32/chosen"]?.verdict == .skipped)
    #expect(rows["left/f32/chosen"]?.note == "NEW: no memory")
    #expect(rows.values.filter(\.isRegression).map(\.name) == ["broken/f32/chosen"])
  }

  @Test func nothingInCommonIsAnError() throws {
    var other = ResultText()
    other.add("other/f32/chosen", [1])
    #expect(throws: BenchmarkError("no row is in both files")) {
      try Comparison(
        old: ResultFile.parse(Self.run().data), new: ResultFile.parse(other.data), threshold: 1.05)
    }
  }

  @Test func otherCircumstancesAreTold() throws {
    var (old, new) = (Self.run(), Self.run())
    old.context["governor"] = "powersave"
    old.context["engines"] = nil
    new.context["threads"] = 4
    new.context["engines"] = ["pytorch": "2.15.0"]
    new.context["noise"] = ["3 % of the time was stolen\nby the host"]
    new.context["precision"] = ["2 of 9 medians\u{1B}[31m"]
    let comparison = try Comparison(
      old: ResultFile.parse(old.data), new: ResultFile.parse(new.data), threshold: 1.05)
    #expect(
      comparison.warnings == [
        "threads: 2 in OLD, 4 in NEW",
        "frequency governor: powersave in OLD, none in NEW",
        "engines: none in OLD, pytorch=2.15.0 in NEW",
        "NEW was disturbed: 3 % of the time was stolen by the host",
        "NEW is less sure: 2 of 9 medians [31m",
      ])
  }
}
