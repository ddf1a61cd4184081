import Foundation

/// Text that people wrote for the benchmark.
enum TextFile {
  /// What is larger is something else.
  static var largestByteCount: Int { 1 << 20 }

  /// A file's contents.
  ///
  /// - Parameter content: what it should be a list of.
  /// - Throws: ``BenchmarkError`` with the path and the reason.
  static func read(path: String, of content: String) throws(BenchmarkError) -> Data {
    do {
      let attributes = try FileManager.default.attributesOfItem(
        atPath: URL(fileURLWithPath: path).resolvingSymlinksInPath().path)
      guard attributes[.type] as? FileAttributeType == .typeRegular else {
        throw BenchmarkError("\(path): not a regular file")
      }
      guard let size = attributes[.size] as? Int, size <= largestByteCount else {
        throw BenchmarkError(
          "\(path): more than \(largestByteCount) bytes, too large for a list of \(content)")
      }
      return try Data(contentsOf: URL(fileURLWithPath: path))
    } catch let error as BenchmarkError {
      throw error
    } catch {
      throw BenchmarkError("\(path): cannot be read")
    }
  }
}
