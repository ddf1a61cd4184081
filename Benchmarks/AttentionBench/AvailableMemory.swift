import BenchmarkKit
import Foundation

/// Memory that can be had without swapping.
enum AvailableMemory {
  /// Bytes, as Linux estimates them; all of the machine's memory where it does not.
  static var bytes: Double {
    let lines = ((try? String(contentsOfFile: "/proc/meminfo", encoding: .utf8)) ?? "").split(separator: "\n")
    guard let line = lines.first(where: { $0.hasPrefix("MemAvailable:") }),
      let kibibytes = Double(line.split(separator: " ").dropFirst().first ?? "")
    else { return ShapeFile.physicalMemory }
    return kibibytes * 1024
  }
}
