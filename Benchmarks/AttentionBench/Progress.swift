import BenchmarkKit
import Foundation

/// Tells on standard error what is going on: on a terminal in one line that rewrites itself, elsewhere now and then.
final class Progress {
  private let count: Int
  private let isTerminal = isatty(STDERR_FILENO) == 1
  private let start = Stopwatch.seconds()
  private var lastTold = -Double.infinity

  init(count: Int) { self.count = count }

  /// What all runs need to know is found out.
  func show(_ what: String) { tell(0, what) }

  /// Run `index` of all has begun, from 1.
  func show(_ index: Int, _ what: String) {
    tell(index, what + Remaining.words(begun: index, of: count, seconds: Stopwatch.seconds() - start))
  }

  private func tell(_ index: Int, _ what: String) {
    if isTerminal {
      write("\r\u{1B}[K\(index)/\(count) \(what)")
    } else if index == 1 || Stopwatch.seconds() - lastTold > 10 {
      write("attention-bench: \(index)/\(count) \(what)\n")
      lastTold = Stopwatch.seconds()
    }
  }

  /// Makes room for results.
  func clear() {
    if isTerminal { write("\r\u{1B}[K") }
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
