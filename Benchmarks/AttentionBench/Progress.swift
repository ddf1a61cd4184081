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
    tell(index, what + Self.rest(begun: index, of: count, seconds: Stopwatch.seconds() - start))
  }

  /// What is left when a run begins, in words. Runs take as long as those before them, for all that is known.
  static func rest(begun: Int, of count: Int, seconds: Double) -> String {
    let left = count - begun
    let later = left == 0 ? ", the last" : ", \(left) more"
    if begun < 2 { return later }
    let estimate = seconds / Double(begun - 1) * Double(left + 1)
    return later + ", about \(duration(estimate)) left"
  }

  private static func duration(_ seconds: Double) -> String {
    let whole = Int(max(seconds, 1).rounded(.up))
    switch whole {
    case ..<90: return "\(whole) s"
    case ..<5400: return "\((whole + 30) / 60) min"
    default: return "\((whole + 1800) / 3600) h"
    }
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

  /// Facts that have no place among the results.
  func tell(_ facts: [(String, String)]) {
    write(facts.map { "attention-bench: \($0.0): \($0.1)\n" }.joined())
  }

  private func write(_ text: String) { FileHandle.standardError.write(Data(text.utf8)) }
}
