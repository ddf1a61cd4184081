import Foundation

/// A directory for one test, gone with what is in it when its owner is.
package final class TemporaryDirectory: Sendable {
  package let path: String

  /// A directory with these files, whose names may lead through folders.
  ///
  /// - Parameter place: the folder that it is made in; the system's for temporary files when nil.
  package init(_ files: [String: String] = [:], in place: String? = nil) throws {
    let parent = place.map { URL(fileURLWithPath: $0) } ?? FileManager.default.temporaryDirectory
    path = parent.appendingPathComponent("attention-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    for (name, text) in files { try write(Array(text.utf8), to: name) }
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  package var url: URL { URL(fileURLWithPath: path, isDirectory: true) }

  /// The path of a file in here.
  package func file(_ name: String) -> String { "\(path)/\(name)" }

  /// The names of what is in here.
  package func contents() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path).sorted()
  }

  /// The path of a new file with these bytes.
  @discardableResult
  package func write(_ bytes: [UInt8], to name: String) throws -> String {
    let file = URL(fileURLWithPath: file(name))
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    return file.path
  }
}
