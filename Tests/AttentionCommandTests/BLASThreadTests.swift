import Foundation
import Tensors
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// OpenBLAS's own threads, which the executables do without.
@Suite struct BLASThreadTests {
  /// How many threads the command has while it computes with one.
  private func threadCount(environment: [String: String?]) throws -> Int {
    let directory = try TemporaryDirectory()
    let row = Tensor<Float>.zeros([1, 1, 1000, 1])
    let input = try CaseContents([:], ["Q": row, "K": row, "V": row]).write(
      to: directory.file("case.safetensors"))
    let process = try attentionProcess(
      ["inspect", input, "--threads", "1", "--format", "json", "--query", "0...9"],
      environment: ["OPENBLAS_NUM_THREADS": nil, "ATTENTION_KEEP_BLAS_THREADS": nil].merging(environment) {
        $1
      })
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    defer { process.waitUntilExit() }
    // The report is larger than a pipe: as long as nobody reads it, the command waits with it.
    try #require(output.fileHandleForReading.read(upToCount: 1)?.count == 1)
    let tasks = "/proc/\(process.processIdentifier)/task"
    let count = try FileManager.default.contentsOfDirectory(atPath: tasks).count
    let rest = try #require(try output.fileHandleForReading.readToEnd())
    #expect(rest.count > 1 << 16, "so small a report fits the pipe")
    return count
  }

  @Test func thereAreNone() throws {
    #expect(try threadCount(environment: [:]) == 1)
    #expect(try threadCount(environment: ["ATTENTION_KEEP_BLAS_THREADS": "0"]) == 1)
  }

  @Test func usersMayHaveThem() throws {
    // OpenBLAS makes no more threads than there are CPUs.
    let expected = min(2, ProcessInfo.processInfo.activeProcessorCount)
    #expect(try threadCount(environment: ["OPENBLAS_NUM_THREADS": "2"]) == expected)
    #expect(try threadCount(environment: ["ATTENTION_KEEP_BLAS_THREADS": "1"]) >= expected)
  }

  /// This process was started as the executables are: it links the same target.
  @Test func theEnvironmentIsAsTheUserHasIt() throws {
    let atStart = try Data(contentsOf: URL(fileURLWithPath: "/proc/self/environ"))
    let settings = atStart.split(separator: 0).map { String(decoding: $0, as: UTF8.self) }
      .filter { $0.hasPrefix("OPENBLAS_NUM_THREADS=") }
    // Ours has two digits.
    let now = getenv("OPENBLAS_NUM_THREADS").map { String(cString: $0) }
    if settings == ["OPENBLAS_NUM_THREADS=01"] { #expect(now == nil) }
    #expect(now != "01")
  }

  /// Where a thread cannot be made for want of address space, OpenBLAS waits for it at exit. The limits go from too little for the
  /// libraries to plenty.
  @Test(arguments: (5...16).map { 25_000 * $0 })
  func runsWithLittleMemoryEnd(kilobytes: Int) throws {
    let directory = try TemporaryDirectory()
    let row = Tensor<Float>.zeros([1, 1, 4, 1])
    let input = try CaseContents([:], ["Q": row, "K": row, "V": row]).write(
      to: directory.file("case.safetensors"))
    let result = try runAttention(
      ["run", input, "-o", directory.file("out.safetensors"), "--threads", "1"], limits: "-v \(kilobytes)",
      seconds: 60)
    #expect(result.status != CommandResult.timedOut, "\(kilobytes) KiB: \(result)")
    #expect(!result.standardError.contains("OpenBLAS"), "\(kilobytes) KiB: \(result)")
    if kilobytes == 400_000 { #expect(result.status == 0, "\(result)") }
  }
}
