import Foundation
import Tensors
import TestSupport
import Testing

/// What holds for every file: a command answers or refuses, in a line, and nothing in between.
@Suite struct CasePropertyTests {
  private static let drawsOfASeed: UInt64 = 16

  /// Runs a command on a file and checks what has to hold whatever the file is.
  private func run(_ arguments: [String], _ comment: String) throws -> CommandResult {
    // Less than a case of these sizes could ever need is plenty for those that are answered.
    let result = try runAttention(arguments + ["--threads", "1"], limits: "-v 2000000", seconds: 60)
    #expect(result.status == 0 || result.status == 1, "\(comment): \(arguments[0]) \(result)")
    if result.status == 1 {
      #expect(result.errorLines.count == 1 && result.standardOutput.isEmpty, "\(comment): \(result)")
      #expect(result.standardError.hasPrefix("Error: "), "\(comment): \(result)")
    } else {
      #expect(
        result.errorLines.allSatisfy { $0.hasPrefix("attention: warning: ") }, "\(comment): \(result)")
    }
    return result
  }

  @Test(arguments: 0..<UInt64(8)) func whatRunRefusesInspectRefuses(seed: UInt64) throws {
    var answered = 0
    for index in 0..<Self.drawsOfASeed {
      let draw = CaseDraw(seed: seed << 32 + index)
      let comment = "seed \(seed) draw \(index), \(draw.changes)"
      let directory = try TemporaryDirectory()
      let input = try draw.contents().write(to: directory.file("case.safetensors"))
      let computed = try run(["run", input, "-o", directory.file("out.safetensors")], comment)
      let inspected = try run(["inspect", input], comment)
      if draw.changes.isEmpty { #expect(computed.status == 0, "\(comment): \(computed)") }
      if computed.status == 0 {
        answered += 1
      } else {
        #expect(inspected.status != 0, "\(comment): \(computed)")
      }
      #expect(
        try directory.contents()
          == ["case.safetensors"] + (computed.status == 0 ? ["out.safetensors"] : []), "\(comment)")
    }
    // Draws that are all refused, or all answered, would show nothing.
    #expect((1..<Int(Self.drawsOfASeed)).contains(answered), "seed \(seed)")
  }
}
