import ArgumentParser
import BenchmarkKit
import Foundation
import TensorFiles

/// A drawing's file: written beside its place, then put there.
struct PlotWriter {
  private let path: String

  /// - Throws: where no file could be put there in the end: minutes of measurements shall not end in that.
  init(_ path: String) throws {
    // As reports are.
    _ = try ReportWriter(path: path, option: "--plot")
    self.path = path
  }

  func write(_ text: String) throws {
    let bytes = Array(text.utf8)
    try bytes.withUnsafeBytes { bytes in
      try replaceFile(at: path) { (write) throws(TensorFileError) in try write(bytes) }
    }
  }
}
