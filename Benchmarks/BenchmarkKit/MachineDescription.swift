import Foundation

/// What Linux tells about the processor.
package enum MachineDescription {
  /// The processor's name, or `unknown`.
  package static var processor: String {
    let information = (try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8)) ?? ""
    // arm64 has no name here, only numbers.
    for field in ["model name", "Processor", "CPU part"] {
      for line in information.split(separator: "\n") where line.hasPrefix(field) {
        if let value = line.split(separator: ":", maxSplits: 1).dropFirst().first {
          return value.trimmingCharacters(in: .whitespaces)
        }
      }
    }
    return "unknown"
  }

  /// Logical processors that are on line.
  package static var processorCount: Int { ProcessInfo.processInfo.processorCount }

  /// `L1d 48K, L1i 32K, L2 1024K, L3 32768K`: the caches that the first processor uses; `unknown` where they are not told.
  package static var caches: String {
    let root = "/sys/devices/system/cpu/cpu0/cache"
    let entries = ((try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []).sorted()
    let caches = entries.filter { $0.hasPrefix("index") }.compactMap { entry -> String? in
      func read(_ file: String) -> String? {
        (try? String(contentsOfFile: "\(root)/\(entry)/\(file)", encoding: .utf8))?
          .trimmingCharacters(in: .whitespacesAndNewlines)
      }
      guard let level = read("level"), let size = read("size") else { return nil }
      let kind = ["Data": "d", "Instruction": "i"][read("type") ?? ""] ?? ""
      return "L\(level)\(kind) \(size)"
    }
    return caches.isEmpty ? "unknown" : caches.joined(separator: ", ")
  }

  /// A file's name, without its ending, for results of machines like this one.
  package static func kind(processor: String, threads: Int) -> String {
    let plain = ["(R)", "(TM)", "(tm)"].reduce(processor) { $0.replacingOccurrences(of: $1, with: " ") }
    let words = plain.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    return (words.isEmpty ? ["unknown"] : words).joined(separator: "-")
      + "-\(threads)-thread\(threads == 1 ? "" : "s")"
  }
}
