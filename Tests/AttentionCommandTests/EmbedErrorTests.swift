import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// Command lines that make no sense, texts that are none, and models that are no encoders.
@Suite struct EmbedErrorTests {
  @Test(arguments: [
    [], ["model", "text", "--format", "xml"], ["model", "text", "--format", "npy"],
    ["model", "text", "--format", "safetensors", "--similar"], ["model", "text", "--weights", "f64"],
    ["model", "text", "--similar", "0"], ["model", "text", "--similar", "-1"],
    ["model", "text", "--similar=x"],
    ["model", "text", "--similar", "100001"], ["model", "text", "-"], ["model", "text", "--threads", "0"],
    ["model", "text", "--output"], ["model", "--texts"],
  ]) func commandLinesThatMakeNoSenseExitWith64(arguments: [String]) throws {
    let result = try EmbedModel.run(arguments)
    #expect(result.status == 64, "\(arguments): \(result)")
    #expect(result.standardError.hasPrefix("Error: "), "\(arguments): \(result)")
    #expect(result.standardOutput.isEmpty, "\(arguments): \(result)")
  }

  @Test(arguments: [["embed", "--help"], ["help", "embed"]])
  func helpHasExamplesAndGoesToStandardOutput(arguments: [String]) throws {
    let result = try runAttention(arguments)
    #expect(result.status == 0 && result.standardError.isEmpty, "\(result)")
    #expect(result.standardOutput.contains("attention embed all-minilm-l6-v2 --similar 10 < sentences.txt"))
  }

  private func expectFailure(_ result: CommandResult, _ expected: String) {
    #expect(result.status == 1, "\(expected): \(result)")
    #expect(result.errorLines.count == 1, "\(expected): \(result)")
    #expect(
      result.standardError.hasPrefix("Error: ") && result.standardError.contains(expected),
      "\(expected): \(result)")
    #expect(result.standardOutput.isEmpty, "\(expected): \(result)")
  }

  @Test func refusesInputThatIsNoText() throws {
    let model = try EmbedModel()
    expectFailure(try model.run([]), "standard input: no text, expected one a line")
    expectFailure(try model.run(["-"]), "standard input: no text, expected one a line")
    expectFailure(
      try model.run([], input: Array("red\n".utf8) + [0xC3, 0x28, 0x0A]), "standard input: line 2 is no UTF-8"
    )
    expectFailure(try model.run(["--similar", "--", "red"]), "--similar: 1 text, expected at least 2")
    let zeros = try attentionProcess(["embed", model.directory.path])
    let (noText, said) = (try TemporaryFile(), try TemporaryFile())
    zeros.standardInput = FileHandle(forReadingAtPath: "/dev/zero")
    (zeros.standardOutput, zeros.standardError) = (noText.handle, said.handle)
    try zeros.run()
    zeros.waitUntilExit()
    #expect(zeros.terminationStatus == 1)
    #expect(
      try said.text() == "Error: standard input: more than 268435456 bytes, expected fewer of text\n")
    // A shell can put bytes into an argument that are no text.
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/bin/sh")
    process.arguments = [
      "-c", #"exec "$0" embed "$1" "$(printf 'a\377')""#, attentionExecutable.path, model.directory.path,
    ]
    let errors = try TemporaryFile()
    process.standardError = errors.handle
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    #expect(process.terminationStatus == 1)
    #expect(try errors.text() == "Error: argument 3: no UTF-8\n")
  }

  @Test func refusesModelsThatAreNoEncoders() throws {
    let directory = try TemporaryDirectory([
      "llama/config.json": #"{"model_type": "llama"}"#, "text.gguf": "no model", "empty/readme": "",
    ])
    for (name, expected) in [
      ("llama", #"model_type "llama" is no encoder that is known, expected bert"#),
      ("none", "no such file or folder"), ("empty", "config.json"), ("text.gguf", "text.gguf: "),
    ] {
      expectFailure(try EmbedModel.run([directory.file(name), "red"]), expected)
    }
    let broken = try EmbedModel { $0["encoder.layer.0.output.dense.bias"] = nil }
    expectFailure(try broken.run(["red"]), #"no tensor "encoder.layer.0.output.dense.bias""#)
  }

  @Test func refusesToWriteWhatNoFileCanHold() throws {
    let model = try EmbedModel {
      $0["embeddings.LayerNorm.bias"] = Tensor(repeating: .nan, shape: [EmbedModel.width])
    }
    expectFailure(
      try model.run(["red", "--weights", "f32"]),
      "text 1: its vector has nan in column 0, which JSON cannot express")
    let directory = try TemporaryDirectory(["old.jsonl": "old"])
    expectFailure(try model.run(["red", "-o", directory.file("old.jsonl")]), "text 1: its vector has nan")
    #expect(try String(contentsOfFile: directory.file("old.jsonl"), encoding: .utf8) == "old")
    expectFailure(try EmbedModel().run(["red", "-o", directory.file("none/v.jsonl")]), "none/v.jsonl")
    expectFailure(
      try EmbedModel().run(["red", "--format", "npy", "-o", "/dev/null"]), "/dev/null: not a regular file")
  }
}
