import ArgumentParser
import BenchmarkKit
import Foundation
import TensorFiles

/// Results on their way: to standard output at once, so that a reader of a pipe sees each when it is there, or into a file when all are.
struct ReportWriter {
  /// The file; nil for standard output.
  private let path: String?
  private var kept: [String] = []

  /// - Parameter option: what names the file.
  /// - Throws: where a file could not be put there in the end: an hour's results shall not end in that.
  init(path: String?, option: String = "--output") throws {
    self.path = path
    guard let path else { return }
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let type =
      try? FileManager.default.attributesOfItem(
        atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)[.type] as? FileAttributeType
    if path.isEmpty || isFolder.boolValue || (exists && type != .typeRegular) {
      throw ValidationError("\(option) is \(path.debugDescription), expected the path of a file")
    }
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw ValidationError("\(option) is \(path.debugDescription), and no file can be written in its folder")
    }
  }

  mutating func write(_ lines: [String]) {
    if path == nil { Output.write(lines) } else { kept += lines }
  }

  /// Writes the file, beside its place at first. Where that fails, results go to standard output instead.
  func finish() throws {
    guard let path else { return }
    let bytes = Array(kept.map { $0 + "\n" }.joined().utf8)
    do {
      try bytes.withUnsafeBytes { bytes in
        try replaceFile(at: path) { (write) throws(TensorFileError) in try write(bytes) }
      }
    } catch {
      Output.write(kept)
      throw error
    }
  }
}

/// Standard output: results and nothing else.
enum Output {
  static func write(_ lines: [String]) {
    if lines.isEmpty { return }
    FileHandle.standardOutput.write(Data((lines.joined(separator: "\n") + "\n").utf8))
  }
}
