import CMachineProbe
import Foundation

/// What this process takes of the machine's memory from a moment on, as Linux counts resident pages.
///
///     let memory = try ProcessMemory()
///     // make inputs
///     let peak = try memory.peak { try compute() }
struct ProcessMemory {
  private let start: Int

  /// Starts at what is resident once freed memory has gone back to the system.
  init() throws {
    CMachineProbe_returnFreeMemory()
    start = try Self.bytes("VmRSS")
  }

  /// The most that was resident while `body` ran, less what was at the start: what both have made and kept counts.
  func peak(_ body: () throws -> Void) throws -> Int {
    // Sets the peak back to what is resident now; see proc(5).
    try Data("5".utf8).write(to: URL(fileURLWithPath: "/proc/self/clear_refs"))
    try body()
    return try Self.bytes("VmHWM") - start
  }

  private static func bytes(_ field: String) throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    for line in status.split(separator: "\n") where line.hasPrefix("\(field):") {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.count > 1, let kibibytes = Int(words[1]) { return kibibytes << 10 }
    }
    throw CocoaError(.fileReadCorruptFile)
  }
}
