import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// Runs that end while they write.
@Suite struct InterruptionTests {
  /// A small file with 64 MB of results: queries that see no key give rows of zeros.
  private static let large = CaseContents(
    [:],
    [
      "Q": Tensor<Float>.zeros([1, 1, 4096, 1]), "K": Tensor<Float>.zeros([1, 1, 0, 1]),
      "V": Tensor<Float>.zeros([1, 1, 0, 4096]),
    ])

  /// Whether the process has a file of the directory open beside the case, under a name or without one.
  private func isWriting(_ process: Process, in directory: TemporaryDirectory) -> Bool {
    let descriptors = "/proc/\(process.processIdentifier)/fd"
    let numbers = (try? FileManager.default.contentsOfDirectory(atPath: descriptors)) ?? []
    return numbers.contains { number in
      let target = try? FileManager.default.destinationOfSymbolicLink(atPath: "\(descriptors)/\(number)")
      return target.map { $0.hasPrefix(directory.path) && !$0.hasSuffix("case.safetensors") } ?? false
    }
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP], [false, true])
  func signalsLeaveNothingBehind(number: Int32, isReplaced: Bool) throws {
    let directory = try TemporaryDirectory()
    let input = try Self.large.write(to: directory.file("case.safetensors"))
    let output = directory.file("out.safetensors")
    if isReplaced { try Data("old".utf8).write(to: URL(fileURLWithPath: output)) }
    let process = try attentionProcess(["run", input, "-o", output, "--threads", "2"])
    try process.run()
    while process.isRunning, !isWriting(process, in: directory) { usleep(100) }
    if process.isRunning { kill(process.processIdentifier, number) }
    process.waitUntilExit()
    // Whole and new, which it is where the signal came last; or as before.
    let written = FileManager.default.contents(atPath: output)
    if let written, written.count > 64 << 20 {
      #expect(try SafetensorsFile(path: output)["Y"]?.shape == [1, 1, 4096, 4096])
    } else {
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == number)
      #expect(written == (isReplaced ? Data("old".utf8) : nil))
    }
    #expect(
      try directory.contents() == ["case.safetensors"] + (written == nil ? [] : ["out.safetensors"]))
  }

  @Test func filesThatMayNotBecomeAsLargeAreAnError() throws {
    let directory = try TemporaryDirectory()
    let input = try Self.large.write(to: directory.file("case.safetensors"))
    let result = try runAttention(
      ["run", input, "-o", directory.file("out.safetensors")], limits: "-f 1000")
    #expect(result.status == 1 && result.errorLines.count == 1, "\(result)")
    #expect(result.standardError.contains("cannot write: File too large"), "\(result)")
    #expect(try directory.contents() == ["case.safetensors"])
  }
}
