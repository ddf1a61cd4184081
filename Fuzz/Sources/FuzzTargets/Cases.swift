import AttentionCommand
import Parallelism
import TensorFiles
import Tensors

extension FuzzTarget {
  /// A case file, as `attention run` and `attention inspect` take it.
  static let cases = FuzzTarget("cases") { bytes throws(FuzzFault) in
    // A case may ask for all the memory there is. Of this share a small file can ask for too much, as of any other.
    try attempt {
      try MemoryNeed.$share.withValue(MemoryBudget(machine: 64 << 20)) {
        let results = try SafetensorsFile(bytes: runCase(bytes, on: .shared), name: "the results")
        for name in results.names { _ = try results.tensor(name, convertedTo: Double.self) }
        _ = try attempt {
          let (report, drawing) = try inspectCase(
            bytes, flags: ["--query", "all", "--svg", "unused.svg"], on: .shared)
          try require(report.hasSuffix("\n"), "a report without an end")
          try require(drawing?.contains("</svg>") ?? false, "a drawing without an end")
        }
        _ = try attempt {
          let report = try inspectCase(bytes, flags: ["--format", "json"], on: .shared).report
          try require(
            report.utf8.first == UInt8(ascii: "{"), "a report that is no JSON: \(report.prefix(40))")
        }
      }
    }
  }
}
