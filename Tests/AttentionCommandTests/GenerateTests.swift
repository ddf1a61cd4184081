import Foundation
import TestSupport
import Testing

/// `attention generate` with the tiny model that comes with it.
@Suite struct GenerateTests {
  /// What `--format json` writes.
  struct Line: Decodable {
    struct Timings: Decodable {
      let load, prompt, generation: Double
      let firstToken, promptTokensPerSecond, generatedTokensPerSecond: Double?
    }
    let promptTokens, tokens: [Int]
    let text: String
    let topLogits: [[Double]]
    let nll: Double?
    let timings: Timings
    let error: String?
  }

  /// The first greedy tokens after "This License ", computed elsewhere in Float64, and their text.
  private let prompt = [0, 53, 675, 326, 222]
  private let greedy = [638, 638, 638, 638, 638, 638]

  private func generate(_ arguments: [String], input: String? = nil) throws -> CommandResult {
    if let input { return try generate(arguments, input: Array(input.utf8)) }
    return try runAttention(["generate"] + arguments)
  }

  private func generate(_ arguments: [String], input: [UInt8]) throws -> CommandResult {
    let directory = try TemporaryDirectory()
    try Data(input).write(to: URL(fileURLWithPath: directory.file("input")))
    let process = try attentionProcess(["generate"] + arguments)
    let (output, errors) = (try TemporaryFile(), try TemporaryFile())
    process.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: directory.file("input")))
    (process.standardOutput, process.standardError) = (output.handle, errors.handle)
    try process.run()
    process.waitUntilExit()
    return CommandResult(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      standardOutput: try output.text(), standardError: try errors.text())
  }

  private func lines(_ arguments: [String], input: String? = nil, status: Int32 = 0) throws -> [Line] {
    let result = try generate(arguments + ["--format", "json"], input: input)
    try #require(result.status == status, "\(arguments): \(result)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    return try result.standardOutput.split(separator: "\n").map {
      try decoder.decode(Line.self, from: Data($0.utf8))
    }
  }

  private let exact = ["--weights", "f32", "--cache", "f32"]

  @Test func textGoesToStandardOutputAndRatesToStderr() throws {
    let result = try generate(["This License ", "--max-tokens", "6"] + exact)
    #expect(result.status == 0, "\(result)")
    #expect(result.standardOutput == String(repeating: "-", count: 48) + "\n", "\(result)")
    #expect(result.errorLines.count == 1 && result.standardError.hasPrefix("5 prompt tokens ("), "\(result)")
    #expect(result.standardError.contains("), 6 generated ("), "\(result)")
  }

  @Test func jsonHasWhatWasComputedElsewhere() throws {
    let line = try #require(try lines(["This License ", "--max-tokens", "6"] + exact).first)
    #expect(line.promptTokens == prompt && line.tokens == greedy)
    #expect(line.text == String(repeating: "-", count: 48))
    #expect(line.topLogits.count == 8 && line.topLogits[0][0] == 638)
    #expect(line.topLogits.map { $0[1] } == line.topLogits.map { $0[1] }.sorted(by: >))
    #expect(try #require(line.nll) > 0)
    #expect(line.timings.firstToken != nil && line.timings.generatedTokensPerSecond != nil)
  }

  /// Keys of two planes say how many of their low bytes were read, and only where a tolerance leaves some.
  @Test func aTolerance() throws {
    let planes = ["This License ", "--max-tokens", "6", "--weights", "f32", "--cache", "planes"]
    let whole = try #require(try lines(planes).first)
    let bounded = try lines(planes + ["--tolerance", "0.05"])
    #expect(whole.tokens == greedy && bounded.first?.tokens == greedy)
    let text = try generate(planes + ["--tolerance", "0.05"])
    #expect(text.standardError.contains(" % of the keys' low bytes read\n"), "\(text)")
    #expect(!(try generate(planes).standardError.contains("low bytes")))
    let json = try generate(planes + ["--tolerance", "0.05", "--format", "json"]).standardOutput
    #expect(json.contains("\"low_bytes_read\":0."), "\(json)")
  }

  /// One prompt, however it comes.
  @Test(
    arguments: [
      (["-"], "This License "), ([], "This License "), (["--tokens", "0,53,675,326,222"], nil),
      (["This License "], nil), (["<|begin_of_text|>This License ", "--no-special"], nil),
    ] as [([String], String?)])
  func promptsComeInSeveralWays(arguments: [String], input: String?) throws {
    let line = try #require(try lines(arguments + ["--max-tokens", "6"] + exact, input: input).first)
    #expect(line.promptTokens == prompt && line.tokens == greedy, "\(arguments)")
  }

  @Test func onePromptTokenHasNoLikelihood() throws {
    let line = try #require(try lines(["", "--max-tokens", "1"]).first)
    #expect(line.promptTokens == [0] && line.nll == nil && line.tokens.count == 1)
    let none = try #require(try lines(["a", "--max-tokens", "0"]).first)
    #expect(
      none.tokens == [] && none.text == "" && none.timings.firstToken == nil && none.topLogits.count == 8)
  }

  @Test func stopsEndBeforeTheText() throws {
    let result = try generate(["This License ", "--stop", "Source", "--stop", "never"] + exact)
    #expect(result.standardOutput.hasSuffix("\nAny more of \n"), "\(result)")
  }

  @Test func seedsAndWindowsChangeTheText() throws {
    func text(_ flags: [String]) throws -> String {
      try generate(["The Program ", "--max-tokens", "40"] + flags).standardOutput
    }
    let sampled = [
      "--temperature", "0.9", "--top-k", "50", "--top-p", "0.95", "--min-p", "0.01", "--repetition-penalty",
      "1.1",
    ]
    #expect(try text(sampled + ["--seed", "1"]) == text(sampled + ["--seed", "1"]))
    #expect(try text(sampled + ["--seed", "1"]) != text(sampled + ["--seed", "2"]))
    #expect(try text([]) == text(["--window", "1000"]))
    #expect(try text([]) != text(["--window", "1"]))
    #expect(try text(["--weights", "f32"]) == text(["--weights", "f32", "--draft", tinyModel]))
  }

  private var tinyModel: String {
    Bundle.main.bundleURL.appendingPathComponent("swift-attention_AttentionCommand.resources/TinyLlama").path
  }

  @Test func batchesAnswerEachPrompt() throws {
    let directory = try TemporaryDirectory()
    let prompts = ["This License ", "The Program ", "\u{E9}", "This License "]
    let plain = directory.file("prompts.txt"), json = directory.file("prompts.jsonl")
    try Data((prompts.joined(separator: "\n") + "\n").utf8).write(to: URL(fileURLWithPath: plain))
    try Data(prompts.map { "{\"prompt\": \"\($0)\"}\n" }.joined().utf8).write(to: URL(fileURLWithPath: json))
    let alone = try prompts.map { try #require(try lines([$0, "--max-tokens", "20"] + exact).first) }
    for (file, pool) in [(plain, "4096"), (json, "64")] {
      let together = try lines(["--batch", file, "--max-tokens", "20", "--pool-tokens", pool] + exact)
      #expect(together.map(\.tokens) == alone.map(\.tokens), "\(file)")
      #expect(together.map(\.promptTokens) == alone.map(\.promptTokens), "\(file)")
      for (one, other) in zip(together, alone) {
        #expect(abs((one.nll ?? 0) - (other.nll ?? 0)) < 1e-4 && one.text == other.text, "\(file)")
      }
    }
  }

  @Test func aPromptThatDoesNotFitLeavesTheOthers() throws {
    let directory = try TemporaryDirectory()
    let file = directory.file("prompts.txt")
    let long = String(repeating: "x y ", count: 100)
    try Data("a\n\(long)\nb\n".utf8).write(to: URL(fileURLWithPath: file))
    let flags = ["--batch", file, "--max-tokens", "3", "--pool-tokens", "64"]
    let result = try lines(flags, status: 1)
    #expect(result.map { $0.error == nil } == [true, false, true])
    #expect(result.map(\.tokens.count) == [3, 0, 3])
    let text = try generate(flags)
    #expect(text.status == 1 && text.errorLines.count { $0.hasPrefix("Error: prompt 2: ") } == 1, "\(text)")
  }

  @Test func interruptionEndsCleanly() throws {
    let process = try attentionProcess([
      "generate", "This License ", "--max-tokens", "1000000", "--window", "64", "--context", "100000",
    ])
    let (output, errors) = (Pipe(), try TemporaryFile())
    (process.standardOutput, process.standardError) = (output, errors.handle)
    try process.run()
    // The first text, so that generation is under way.
    var bytes = output.fileHandleForReading.availableData
    kill(process.processIdentifier, SIGINT)
    while case let more = output.fileHandleForReading.availableData, !more.isEmpty { bytes += more }
    process.waitUntilExit()
    let text = try errors.text()
    #expect(process.terminationReason == .exit && process.terminationStatus == 130, "\(text)")
    #expect(bytes.last == UInt8(ascii: "\n"))
    #expect(text.contains(/5 prompt tokens .*, \d+ generated/), "\(text)")
  }

  /// The third prompt is that of the first, and finished with it; the second one is not.
  @Test func interruptionWritesWhatIsFinishedBehindAGap() throws {
    let directory = try TemporaryDirectory()
    let file = directory.file("prompts.txt")
    try Data("This License \nThe Program \nThis License \n".utf8).write(to: URL(fileURLWithPath: file))
    let process = try attentionProcess(
      [
        "generate", "--batch", file, "--max-tokens", "90000", "--context", "100000", "--stop", "Source",
        "--format", "json",
      ] + exact)
    let (output, errors) = (Pipe(), try TemporaryFile())
    (process.standardOutput, process.standardError) = (output, errors.handle)
    try process.run()
    var bytes = output.fileHandleForReading.availableData
    kill(process.processIdentifier, SIGINT)
    while case let more = output.fileHandleForReading.availableData, !more.isEmpty { bytes += more }
    process.waitUntilExit()
    let text = try errors.text()
    #expect(process.terminationReason == .exit && process.terminationStatus == 130, "\(text)")
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let lines = try bytes.split(separator: UInt8(ascii: "\n")).map { try decoder.decode(Line.self, from: $0) }
    try #require(lines.count == 3, "\(text)")
    #expect(lines.map { $0.error == nil } == [true, false, true], "\(text)")
    #expect(lines[2].text == lines[0].text && lines[0].text.hasSuffix("more of "), "\(lines[2])")
    #expect(text.contains("Error: prompt 2: prompt: interrupted") && text.contains("2 prompts"), "\(text)")
  }

  // MARK: - Mistakes

  @Test(arguments: [
    ["--window", "0"], ["--window", "-3"], ["--context", "0"], ["--threads", "0"], ["--max-tokens", "-1"],
    ["--temperature", "-1"], ["--temperature", "nan"], ["--temperature", "inf"], ["--top-k", "0"],
    ["--top-p", "0"],
    ["--top-p", "1.1"], ["--min-p", "2"], ["--repetition-penalty", "0"], ["--seed", "-1"], ["--stop", ""],
    ["--tokens", "1,,2"], ["--tokens", "a"], ["--tokens", "-1"], ["--tokens", ""], ["--weights", "f64"],
    ["--tolerance", "0.01"], ["--cache", "planes", "--tolerance", "-0.5"],
    ["--cache", "planes", "--tolerance", "nan"], ["--cache", "planes", "--tolerance", "0.1", "--batch", "a"],
    ["--cache", "planes", "--tolerance", "0.1", "--draft", "a"],
    ["--cache", "int4"], ["--system", "a"], ["--format", "xml"], ["--pool-tokens", "5"],
    ["--chat", "--tokens", "1"], ["--draft", "a", "--window", "5"], ["--batch", "a", "--tokens", "1"],
    ["a", "b", "c"], ["a", "b", "--tokens", "1"], ["--unknown"],
  ]) func commandLinesThatMakeNoSenseExitWith64(arguments: [String]) throws {
    let result = try generate(arguments, input: "")
    #expect(result.status == 64, "\(arguments): \(result)")
    #expect(
      result.standardError.hasPrefix("Error: ") && result.standardOutput.isEmpty, "\(arguments): \(result)")
  }

  @Test func whatIsWrongWithInputIsOneLine() throws {
    let directory = try TemporaryDirectory()
    func file(_ name: String, _ bytes: [UInt8]) throws -> String {
      try Data(bytes).write(to: URL(fileURLWithPath: directory.file(name)))
      return directory.file(name)
    }
    let gguf: [UInt8] = Array("GGUF".utf8) + [3, 0, 0, 0] + Array(repeating: 0xFF, count: 16)
    let empty = directory.file("folder")
    try FileManager.default.createDirectory(atPath: empty, withIntermediateDirectories: false)
    let other = directory.file("other")
    try FileManager.default.createDirectory(atPath: other, withIntermediateDirectories: false)
    for name in ["config.json", "model.safetensors"] {
      try FileManager.default.copyItem(atPath: "\(tinyModel)/\(name)", toPath: "\(other)/\(name)")
    }
    let vocabulary = (0..<3000).map { "\"t\($0)\": \($0)" }.joined(separator: ", ")
    try Data("{\"model\": {\"type\": \"BPE\", \"vocab\": {\(vocabulary)}, \"merges\": []}}".utf8)
      .write(to: URL(fileURLWithPath: "\(other)/tokenizer.json"))
    let cases: [(arguments: [String], input: [UInt8], says: String)] = [
      ([], [0x61, 0xFF], "standard input: no UTF-8"), (["-"], [0xC3], "standard input: no UTF-8"),
      (["", "--no-special"], [], "prompt: empty"), (["--no-special"], [], "prompt: empty"),
      (["--tokens", "1,1024"], [], "1024"), (["a", "--context", "1"], [], "at most 1"),
      ([String(repeating: "x y ", count: 2000)], [], "context of 1024"),
      (["a", "--chat"], [], "chat template"),
      (["missing.gguf"], [], "missing.gguf"), (["missing", "a"], [], "missing: no such file"),
      ([try file("cut.gguf", Array(gguf.prefix(10))), "a"], [], "cut.gguf"),
      ([try file("lies.gguf", gguf), "a"], [], "lies.gguf"),
      ([try file("text.txt", [0x61]), "a"], [], "text.txt"), ([empty, "a"], [], "config.json"),
      ([other, "a"], [], "tokenizer"),
      (["--batch", directory.file("none")], [], "none"), (["--batch", empty], [], "folder"),
      (["--batch", try file("empty", [])], [], "empty, expected a prompt"),
      (["--batch", "/dev/zero"], [], "/dev/zero: more than 268435456 bytes"),
      (["--batch", try file("bytes", [0xFF])], [], "no UTF-8"),
      (["--batch", try file("bad.jsonl", Array("{\"prompt\": \"a\"}\n{\"p\": 1}\n".utf8))], [], "line 2"),
      (["a", "--draft", "missing"], [], "missing: no such file"), (["a\u{0}b", "b"], [], "a"),
    ]
    for (arguments, input, says) in cases {
      let result = try generate(arguments, input: input)
      #expect(result.status == 1, "\(arguments): \(result)")
      #expect(
        result.errorLines.count == 1 && result.standardError.hasPrefix("Error: "), "\(arguments): \(result)")
      #expect(result.standardError.contains(says) && result.standardOutput.isEmpty, "\(arguments): \(result)")
    }
  }

  @Test func argumentsThatAreNoUTF8AreRefused() throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "exec \"$0\" generate \"$(printf 'a\\377')\"", attentionExecutable.path]
    let errors = try TemporaryFile()
    process.standardError = errors.handle
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    #expect(try errors.text() == "Error: argument 2: no UTF-8\n")
  }

  @Test func aFullDiskIsAnError() throws {
    let result = try runAttention(["generate", "a", "--max-tokens", "2"], limits: "-n 100")
    #expect(result.status == 0)
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = ["-c", "exec \"$0\" generate a > /dev/full", attentionExecutable.path]
    let errors = try TemporaryFile()
    process.standardError = errors.handle
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    #expect(try errors.text().contains("No space left"))
  }

  @Test func helpHasExamples() throws {
    let result = try generate(["--help"])
    #expect(
      result.status == 0 && result.standardOutput.contains("attention generate model.gguf"), "\(result)")
    #expect(result.standardOutput.contains("not with --format json"), "\(result)")
  }
}
