import Testing

@Suite struct UsageTests {
  @Test(arguments: [
    ["walk"], ["run"], ["run", "case"], ["run", "-o", "out"], ["run", "case", "-o"],
    ["run", "case", "more", "-o", "out"], ["run", "case", "-o", "out", "--is-casual"],
    ["run", "case", "-o", "out", "--scale", "abc"], ["run", "case", "-o", "out", "--scale", "nan"],
    ["run", "case", "-o", "out", "--scale", "1e400"],
    ["run", "case", "-o", "out", "--scale", "0x1p-3"], ["run", "case", "-o", "out", "--scale", "0.5 "],
    ["run", "case", "-o", "out", "--softcap", "nan(0x1)"], ["run", "case", "-o", "out", "--softcap", "inf"],
    ["run", "case", "-o", "out", "--q-num-heads", "0x4"],
    ["run", "case", "-o", "out", "--q-num-heads", "99999999999999999999"],
    ["run", "case", "-o", "out", "--left-window-size", "-2"],
    ["run", "case", "-o", "out", "--right-window-size", "1.5"],
    ["run", "case", "-o", "out", "--q-num-heads", "0"],
    ["run", "case", "-o", "out", "--kv-num-heads", "-1"],
    ["run", "case", "-o", "out", "--causal-alignment", "left"],
    ["run", "case", "-o", "out", "--softcap", "-1"],
    ["run", "case", "-o", "out", "--qk-matmul-output-mode", "4"],
    ["run", "case", "-o", "out", "--softmax-precision", "2"],
    ["run", "case", "-o", "out", "--op", "MatMul"],
    ["run", "case", "-o", "out", "--rotary-embedding-dim", "5"],
    ["run", "case", "-o", "out", "--num-heads", "-1"],
    ["run", "case", "-o", "out", "--threads", "0"], ["run", "case", "-o", "out", "--threads", "1000000"],
  ]) func commandLinesThatMakeNoSenseExitWith64(arguments: [String]) throws {
    let result = try runAttention(arguments)
    #expect(result.status == 64, "\(arguments): \(result)")
    #expect(result.standardError.hasPrefix("Error: "), "\(arguments): \(result)")
    #expect(result.standardOutput.isEmpty, "\(arguments): \(result)")
  }

  @Test(arguments: [["--help"], ["help"], ["run", "--help"], ["help", "run"]])
  func helpHasExamplesAndGoesToStandardOutput(arguments: [String]) throws {
    let result = try runAttention(arguments)
    #expect(result.status == 0 && result.standardError.isEmpty, "\(arguments): \(result)")
    #expect(result.standardOutput.contains("EXAMPLE"), "\(arguments): \(result)")
    #expect(
      result.standardOutput.contains("attention run case.safetensors -o out.safetensors"), "\(arguments)")
  }

  @Test func versionIsANumber() throws {
    let result = try runAttention(["--version"])
    #expect(result.status == 0)
    #expect(result.standardOutput.contains(/^\d+\.\d+\.\d+\n$/), "\(result)")
  }
}
