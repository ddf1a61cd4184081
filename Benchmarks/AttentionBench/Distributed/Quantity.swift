import BenchmarkKit
import Foundation

/// Numbers with units, as command lines give them.
package enum Quantity {
  /// `100Gbps`, in bytes a second; decimal prefixes.
  package static func bytesPerSecond(_ text: String) throws(BenchmarkError) -> Double {
    let units = ["bps": 1.0, "kbps": 1e3, "Mbps": 1e6, "Gbps": 1e9, "Tbps": 1e12]
    return try number(text, units, "a rate like 100Gbps") / 8
  }

  /// `2us`, in seconds.
  package static func seconds(_ text: String) throws(BenchmarkError) -> Double {
    try number(text, ["ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0], "a time like 2us or 50ns")
  }

  /// `1M`, `128k` or a plain count; `k` is 1024, `M` is 1024 of them.
  package static func count(_ text: String) throws(BenchmarkError) -> Int {
    let value = try number(text, ["": 1, "k": 1024, "M": 1_048_576], "a count like 131072, 128k or 1M")
    guard value == value.rounded(), value <= 0x1p53 else {
      throw BenchmarkError("\(quoted(text)) is no whole number, expected a count like 131072, 128k or 1M")
    }
    return Int(value)
  }

  private static func number(
    _ text: String, _ units: [String: Double], _ expected: String
  ) throws(BenchmarkError) -> Double {
    // No sign, no exponent, no infinity: digits with at most one point between them.
    let digits = text.prefix { $0.isASCII && ($0.isNumber || $0 == ".") }
    guard let number = Double(digits), number > 0, let unit = units[String(text.dropFirst(digits.count))]
    else { throw BenchmarkError("\(quoted(text)) is given, expected \(expected)") }
    return number * unit
  }
}
