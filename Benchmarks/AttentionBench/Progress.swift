import BenchmarkKit
import Foundation

/// Standard output: results and nothing else.
enum Output {
  /// Writes lines at once, so that a reader of a pipe sees each result when it is there.
  static func write(_ lines: [String]) {
    if lines.isEmpty { return }
    FileHandle.standardOutput.write(Data((lines.joined(separator: "\n") + "\n").utf8))
  }
}

/// Tells on standard error what is going on: on a terminal in one line that rewrites itself, elsewhere now and then.
final class Progress {
  private let count: Int
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private var lastTold = -Double.infinity

  init(count: Int) { self.count = count }

  /// Number `index` of all runs has begun.
  func show(_ index: Int, _ what: String) {
    if isTerminal {
      write("\r\u{1B}[K\(index)/\(count) \(what)")
    } else if Stopwatch.seconds() - lastTold > 10 {
      write("attention-bench: \(index)/\(count) \(what)\n")
      lastTold = Stopwatch.seconds()
    }
  }

  /// Makes room for results.
  func clear() {
    if isTerminal { write("\r\u{1B}[K") }
  }

  /// Facts that have no place among the results.
  func tell(_ facts: [(String, String)]) {
    write(facts.map { "attention-bench: \($0.0): \($0.1)\n" }.joined())
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
