import AttentionBench
import AttentionCommand
import BenchmarkKit
import Foundation

extension FuzzTarget {
  /// A command line of `attention` or, from an odd first byte on, of `attention-bench`: the words between NUL bytes.
  static let commandLines = FuzzTarget("command-lines") { bytes throws(FuzzFault) in
    guard let first = bytes.first else { return .refused }
    let words = bytes.dropFirst().split(separator: 0, omittingEmptySubsequences: false).prefix(16).map {
      String(decoding: $0, as: UTF8.self)
    }
    let refusal = first % 2 == 0 ? refusal(ofAttentionCommand: words) : refusal(ofBenchCommand: words)
    if let refusal { try require(!refusal.isEmpty, "\(words) refused without a message") }
    return refusal == nil ? .answered : .refused
  }

  /// What the benchmark reads: a list of shapes, or results of an earlier run.
  static let benchmarkFiles = FuzzTarget("benchmark-files") { bytes throws(FuzzFault) in
    let shapes = try attempt { _ = try ShapeFile.parse(Data(bytes)) }
    let results = try attempt { _ = try ResultFile(Data(bytes)) }
    return shapes == .answered ? shapes : results
  }
}
