import Foundation

/// The source tree that the program was built in, where it still lies there.
enum SourceTree {
  /// The commit that is checked out, and `-dirty` where files differ from it; nil where there is no such tree, or no git.
  static func revision(of executable: String) -> String? {
    // Where a command was found in the search path its name says nothing; Linux knows.
    let file = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? executable
    let folder = URL(fileURLWithPath: file).deletingLastPathComponent().path
    // Another project's tree may contain the program too.
    guard let root = git(["-C", folder, "rev-parse", "--show-toplevel"]),
      FileManager.default.fileExists(atPath: root + "/Benchmarks/AttentionBench")
    else { return nil }
    return git(["-C", root, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"])
  }

  /// What git says in one line; nil where it fails or says nothing.
  private static func git(_ arguments: [String]) -> String? {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    // Without locks: whoever works in the tree at the same time is not disturbed.
    process.arguments = ["git", "--no-optional-locks"] + arguments
    let output = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = output
    process.standardError = FileHandle.nullDevice
    guard (try? process.run()) != nil, let data = try? output.fileHandleForReading.readToEnd() else {
      return nil
    }
    process.waitUntilExit()
    let line = String(decoding: data, as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
    return process.terminationStatus == 0 && !line.isEmpty ? line : nil
  }
}
