import Attention
import LinearAlgebra
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How well a model foretells a text: −ln p of each token after the first, given those before it.
struct PromptScore {
  /// Rows whose logits are in memory at once: a vocabulary of 262,144 takes 128 MiB.
  private static let rows = 128

  private(set) var sum = 0.0
  private(set) var count = 0
  /// The logits behind the last token so far, and their log-sum-exp.
  private var last: (logits: [Float], logSum: Double)?

  var mean: Double? { count > 0 ? sum / Double(count) : nil }

  /// Counts the tokens of a chunk, whose states begin at `firstRow`.
  mutating func add(
    _ decoder: DecoderModel, _ states: Tensor<Float>, _ tokens: [Int], firstRow: Int = 0
  ) throws(AttentionError) {
    guard let first = tokens.first else { return }
    var (sum, count, last) = (sum, count, last)
    if let last { (sum, count) = (sum + last.logSum - Double(last.logits[first]), count + 1) }
    for begin in stride(from: 0, to: tokens.count, by: Self.rows) {
      let rows = begin..<min(begin + Self.rows, tokens.count)
      let logits = try decoder.logits(of: states, rows: rows.map { firstRow + $0 })
      let width = decoder.configuration.vocabulary
      logits.withUnsafePointer { logits in
        func row(_ row: Int) -> UnsafeBufferPointer<Float> {
          UnsafeBufferPointer(start: logits + (row - begin) * width, count: width)
        }
        var logSums = [Double](repeating: 0, count: rows.count)
        logSums.withUnsafeMutableBufferPointer { logSums in
          // An exponential takes about as long as some conversions.
          forEachRow(rows.count, work: 8 * width, on: decoder.workers) {
            logSums[$0] = logSumExp(row(begin + $0))
          }
        }
        for (index, logSum) in zip(rows, logSums) {
          if index + 1 < tokens.count {
            sum += logSum - Double(row(index)[tokens[index + 1]])
            count += 1
          } else {
            last = (Array(row(index)), logSum)
          }
        }
      }
    }
    (self.sum, self.count, self.last) = (sum, count, last)
  }
}

/// `ln Σ eˣ`
private func logSumExp(_ values: UnsafeBufferPointer<Float>) -> Double {
  guard let base = values.baseAddress, !values.isEmpty else { return -.infinity }
  let largest = values[indexOfLargest(base, count: values.count)]
  guard largest.isFinite else { return Double(largest) }
  return Double(largest) + log(values.reduce(0.0) { $0 + Double(expf($1 - largest)) })
}
