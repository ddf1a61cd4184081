/// Sweeps that are kept: one a line, as behind `--sweep`; `#` begins a comment.
package enum SweepFile {
  /// A sweep and where it stands, counted from 1: whoever finds it wrong later can say so.
  package struct Entry: Sendable {
    package let line: Int
    package let sweep: Sweep
  }

  /// The sweeps of a file, in its order.
  ///
  /// - Throws: ``BenchmarkError`` with the path, the line and the reason.
  package static func load(path: String, allThreads: Int) throws(BenchmarkError) -> [Entry] {
    let data = try InputFile.read(path: path, limit: InputFile.mostListBytes, kind: "a list of sweeps")
    do {
      return try parse(String(decoding: data, as: UTF8.self), allThreads: allThreads)
    } catch {
      throw BenchmarkError("\(path): \(error)")
    }
  }

  /// The sweeps of a file's contents.
  package static func parse(_ text: String, allThreads: Int) throws(BenchmarkError) -> [Entry] {
    var sweeps: [Entry] = []
    let lines = text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
    for (index, line) in lines.enumerated() {
      let words = line.prefix { $0 != "#" }.split(whereSeparator: \.isWhitespace).map(String.init)
      if words.isEmpty { continue }
      do {
        sweeps.append(Entry(line: index + 1, sweep: try Sweep(words, allThreads: allThreads)))
      } catch {
        throw BenchmarkError("line \(index + 1): \(error)")
      }
    }
    guard !sweeps.isEmpty else { throw BenchmarkError("no sweeps") }
    return sweeps
  }
}
