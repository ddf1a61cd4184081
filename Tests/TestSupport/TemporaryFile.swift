import Foundation

/// A file for one test, gone when its owner is: also what a child writes into, which nobody has to empty while it runs.
package final class TemporaryFile {
  package let url = FileManager.default.temporaryDirectory.appendingPathComponent(
    "attention-\(UUID().uuidString)")
  /// Open for writing.
  package let handle: FileHandle

  /// A file with this text.
  package init(_ text: String = "") throws {
    try Data(text.utf8).write(to: url)
    handle = try FileHandle(forWritingTo: url)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// All that is in it, read anew.
  package func text() throws -> String { String(decoding: try Data(contentsOf: url), as: UTF8.self) }
}
