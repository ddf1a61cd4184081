import Attention
import TensorFiles
import Transformer

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Writes text to standard output at once.
func printOutput(_ text: String) throws(TensorFileError) {
  let bytes = Array(text.utf8)
  try bytes.span.withUnsafeBytes { (bytes) throws(TensorFileError) in
    try writeAll(bytes, to: STDOUT_FILENO, path: "standard output")
  }
}

/// Where a command's results and notes go.
struct CommandOutput {
  let write: (String) throws(TensorFileError) -> Void
  let note: (String) -> Void

  /// Standard output and stderr.
  static var standard: CommandOutput { CommandOutput(write: printOutput, note: printError) }

  /// Nowhere: for ranks that compute along with the one that writes.
  static var none: CommandOutput { CommandOutput(write: { (_) in }, note: { _ in }) }
}

/// A line on a terminal's stderr that tells how far a long prompt is, and goes again.
struct ProgressLine {
  private let total: Int
  private let isTerminal = isatty(STDERR_FILENO) != 0
  private let start = ContinuousClock.now
  private var isShown = false

  init(of total: Int) { self.total = total }

  mutating func show(_ done: Int) {
    guard isTerminal, done > 0, ContinuousClock.now - start > .seconds(1) else { return }
    put("\r\u{1B}[Kprompt: \(done) of \(total) tokens")
    isShown = true
  }

  mutating func clear() {
    if isShown { put("\r\u{1B}[K") }
    isShown = false
  }

  private func put(_ text: String) {
    let bytes = Array(text.utf8)
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}

/// `5 prompt tokens (310.4/s), 32 generated (48.2/s)`
func rates(_ timings: GenerationTimings, generated: Int) -> String {
  func rate(_ rate: Double?) -> String {
    guard let rate else { return "" }
    return " (\((rate * 10).rounded() / 10)/s)"
  }
  return "\(timings.promptTokens) prompt tokens\(rate(timings.promptRate)), "
    + "\(generated) generated\(rate(timings.generationRate))"
}

/// What follows the rates where a tolerance was given: the share of keys' low bytes that were read.
func lowByteShare(_ reads: LowByteReads) -> String {
  if reads.seen == 0 { return "" }
  return ", \((reads.share * 1000).rounded() / 10) % of the keys' low bytes read"
}
