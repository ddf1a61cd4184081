import Foundation

/// A cache of the first processor.
package struct CPUCache: Sendable, Equatable, Codable {
  /// `Data`, `Instruction` or `Unified`.
  let type: String
  /// 1 is the nearest.
  let level: Int
  /// In bytes.
  let size: Int
  /// How many logical processors share it.
  let sharing: Int

  private enum CodingKeys: String, CodingKey {
    case type, level, size
    case sharing = "num_sharing"
  }

  /// `L1d 48K`, and how many share it where that is more than one.
  var words: String {
    let kind = ["Data": "d", "Instruction": "i"][type] ?? ""
    return "L\(level)\(kind) \(size >> 10)K" + (sharing > 1 ? " shared by \(sharing)" : "")
  }
}

/// What Linux tells about the machine, at one moment.
package struct MachineDescription: Sendable, Encodable {
  /// The processor's name, or `unknown`.
  package var processor = "unknown"
  /// The processor's instruction set extensions, as Linux lists them; empty where it does not.
  package var flags = ""
  /// Logical processors that are on line.
  package var processorCount = ProcessInfo.processInfo.processorCount
  /// Of the first processor: its highest frequency where that is told, else that of now.
  package var megahertz: Double?
  /// Who decides the frequency: `performance`, `schedutil`, …; nil where nobody says so, as on virtual machines.
  package var governor: String?
  /// The caches that the first processor uses; empty where they are not told.
  package var caches: [CPUCache] = []
  /// Groups of processors with memory of their own.
  package var numaNodes = 1
  /// The machine's name.
  package var hostName = "unknown"
  /// Linux's release.
  package var kernel = "unknown"
  /// Processes that ran or wanted to, on average over 1, 5 and 15 minutes; empty where that is not told.
  package var loadAverages: [Double] = []
  /// Whether addresses differ from run to run; nil where that is not told.
  package var hasRandomAddresses: Bool?

  /// As `json` calls them.
  private enum CodingKeys: String, CodingKey {
    case caches, kernel
    case processor = "cpu_model"
    case flags = "cpu_flags"
    case processorCount = "num_cpus"
    case megahertz = "mhz_per_cpu"
    case numaNodes = "numa_nodes"
    case hostName = "host_name"
    case loadAverages = "load_avg"
    case hasRandomAddresses = "aslr_enabled"
  }

  /// Reads the files of `/proc` and `/sys`, or of a copy of them below `root`. What cannot be read is left as it is without them.
  package init(root: String = "") {
    func read(_ file: String) -> String? {
      (try? String(contentsOfFile: root + file, encoding: .utf8))?
        .trimmingCharacters(in: .whitespacesAndNewlines)
    }
    let processors = read("/proc/cpuinfo") ?? ""
    // arm64 has no name here, only numbers.
    processor = Self.value(ofAny: ["model name", "Processor", "CPU part"], in: processors) ?? processor
    flags = Self.value(ofAny: ["flags", "Features"], in: processors) ?? flags
    let first = "/sys/devices/system/cpu/cpu0"
    let highest = read("\(first)/cpufreq/cpuinfo_max_freq").flatMap(Double.init).map { $0 / 1000 }
    megahertz = (highest ?? Self.value(ofAny: ["cpu MHz"], in: processors).flatMap(Double.init))?.rounded()
    governor = read("\(first)/cpufreq/scaling_governor")
    caches = Self.entries(root + first + "/cache", prefix: "index").compactMap { entry in
      func value(_ file: String) -> String? { read("\(first)/cache/\(entry)/\(file)") }
      guard let level = value("level").flatMap({ Int($0) }), let type = value("type"),
        let size = value("size").flatMap(Self.bytes)
      else { return nil }
      let sharing = value("shared_cpu_list").map(Self.count(ofList:)) ?? 1
      return CPUCache(type: type, level: level, size: size, sharing: max(sharing, 1))
    }
    numaNodes = max(read("/sys/devices/system/node/online").map(Self.count(ofList:)) ?? 1, 1)
    kernel = read("/proc/sys/kernel/osrelease") ?? kernel
    hostName = read("/proc/sys/kernel/hostname") ?? hostName
    let loads = read("/proc/loadavg")?.split(separator: " ").prefix(3).compactMap { Double($0) } ?? []
    loadAverages = loads.count == 3 ? loads : []
    hasRandomAddresses = read("/proc/sys/kernel/randomize_va_space").map { $0 != "0" }
  }

  /// `L1d 48K, L1i 32K, L2 1024K, L3 32768K shared by 2`, or `unknown`.
  package var cacheWords: String {
    caches.isEmpty ? "unknown" : caches.map(\.words).joined(separator: ", ")
  }

  /// The first value of the first of these fields that there is.
  private static func value(ofAny fields: [String], in text: String) -> String? {
    for field in fields {
      for line in text.split(separator: "\n") where line.hasPrefix(field) {
        let parts = line.split(separator: ":", maxSplits: 1)
        if parts.count == 2, parts[0].trimmingCharacters(in: .whitespaces) == field {
          return parts[1].trimmingCharacters(in: .whitespaces)
        }
      }
    }
    return nil
  }

  private static func entries(_ folder: String, prefix: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []).filter { $0.hasPrefix(prefix) }
      .sorted()
  }

  /// `48K`, `32M`; nil for anything else.
  private static func bytes(_ text: String) -> Int? {
    guard let shift = ["K": 10, "M": 20, "G": 30][text.suffix(1)], let count = Int(text.dropLast()),
      0..<1 << 24 ~= count
    else { return nil }
    return count << shift
  }

  /// How many numbers a list like `0-3,8` has; those that are no numbers count nothing.
  private static func count(ofList text: String) -> Int {
    text.split(separator: ",").reduce(0) { total, part in
      let ends = part.split(separator: "-").compactMap { Int($0) }
      guard let first = ends.first, let last = ends.last, 0...last ~= first, last < 1 << 20 else {
        return total
      }
      return total + last - first + 1
    }
  }

  /// A file's name, without its ending, for results of machines like this one.
  package static func kind(processor: String, threads: Int) -> String {
    let plain = ["(R)", "(TM)", "(tm)"].reduce(processor) { $0.replacingOccurrences(of: $1, with: " ") }
    let words = plain.lowercased().split { !($0.isASCII && ($0.isLetter || $0.isNumber)) }
    return (words.isEmpty ? ["unknown"] : words).joined(separator: "-")
      + "-\(threads)-thread\(threads == 1 ? "" : "s")"
  }
}
