import Attention
import BenchmarkKit
import Foundation
import TensorFiles

/// A file that has lost its name: a child opens it through this process, and nothing is left of it however either ends.
final class PassedFile {
  private let descriptor: Int32

  /// An empty file in the folder for temporary files.
  ///
  /// - Throws: ``BenchmarkError`` where there is no room for one.
  init() throws {
    let folder = FileManager.default.temporaryDirectory.path
    var template = Array("\(folder)/attention-bench-XXXXXX".utf8CString)
    descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw BenchmarkError("\(folder): \(String(cString: strerror(errno)))") }
    unlink(template)
  }

  deinit { close(descriptor) }

  /// Where a process of the same user finds it.
  var path: String { "/proc/\(getpid())/fd/\(descriptor)" }

  /// Appends bytes.
  ///
  /// - Throws: ``BenchmarkError`` where the disk is full.
  func write(_ bytes: [UInt8]) throws {
    do {
      try FileHandle(fileDescriptor: descriptor, closeOnDealloc: false).write(contentsOf: bytes)
    } catch {
      throw BenchmarkError("the inputs, \(bytes.count) bytes, cannot be written to a temporary file")
    }
  }

  /// What a child wrote, copied: it may write again.
  ///
  /// - Throws: ``BenchmarkError`` where that is more than `most` bytes.
  func read(most: Int) throws -> [UInt8] {
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_size <= most else {
      throw BenchmarkError("\(status.st_size) bytes of output, expected at most \(most)")
    }
    return try withUnsafeTemporaryAllocation(byteCount: max(Int(status.st_size), 1), alignment: 1) { room in
      var count = 0
      while count < Int(status.st_size) {
        let more = pread(descriptor, room.baseAddress! + count, Int(status.st_size) - count, off_t(count))
        guard more > 0 else { throw BenchmarkError("the output ends early") }
        count += more
      }
      return Array(room.prefix(count))
    }
  }
}
