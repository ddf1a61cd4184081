import ArgumentParser
import BenchmarkKit
import Foundation
import TensorFiles

/// Where results go: to standard output at once, or into a file when all are there.
enum ReportDestination {
  case standardOutput
  case file(path: String)

  /// - Throws: where a file could not be put there in the end: an hour's results shall not end in that.
  init(path: String?) throws {
    guard let path else {
      self = .standardOutput
      return
    }
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    let folder = URL(fileURLWithPath: path).deletingLastPathComponent().path
    let type =
      try? FileManager.default.attributesOfItem(
        atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)[.type] as? FileAttributeType
    if path.isEmpty || isFolder.boolValue || (exists && type != .typeRegular) {
      throw ValidationError("--output is \(path.debugDescription), expected the path of a file")
    }
    guard FileManager.default.isWritableFile(atPath: folder) else {
      throw ValidationError("--output is \(path.debugDescription), and no file can be written in its folder")
    }
    self = .file(path: path)
  }
}

/// Results on their way to where they go.
struct ReportWriter {
  let destination: ReportDestination
  private var kept: [String] = []

  init(to destination: ReportDestination) { self.destination = destination }

  /// Writes lines at once, so that a reader of a pipe sees each result when it is there; lines of a file are kept.
  mutating func write(_ lines: [String]) {
    switch destination {
    case .standardOutput: Output.write(lines)
    case .file: kept += lines
    }
  }

  /// Writes the file, beside its place at first. Where that fails, results go to standard output instead.
  func finish() throws {
    guard case .file(let path) = destination else { return }
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
