#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// How much more memory this process can have, as far as the system says.
///
/// Linux grants more than there is and ends a process that uses it: whoever allocates what a file or a request asks for compares with
/// this first.
package struct MemoryBudget: Equatable, Sendable {
  /// Bytes that the machine has to give without swapping, caches that it can drop included; nil where it does not say.
  package var machine: Int?
  /// Bytes that the control groups of this process have left, the tightest of them; nil where they set no limit.
  package var controlGroups: Int?
  /// Bytes of address space that the process has left (`ulimit -v`); nil where it has no limit.
  package var addressSpace: Int?

  /// The least of these; `Int.max` where nothing is known.
  package var available: Int { min(machine ?? .max, controlGroups ?? .max, addressSpace ?? .max) }

  package init(machine: Int? = nil, controlGroups: Int? = nil, addressSpace: Int? = nil) {
    self.machine = machine
    self.controlGroups = controlGroups
    self.addressSpace = addressSpace
  }

  /// What can be had now. Reads a few files under `/proc` and `/sys/fs/cgroup`: some 100 µs.
  package static var current: MemoryBudget {
    MemoryBudget(
      machine: ControlGroups.readText("/proc/meminfo").flatMap(parseAvailable),
      controlGroups: ControlGroups.system.memoryLeft(), addressSpace: addressSpaceLeft())
  }

  /// Bytes of the line `MemAvailable:   23084308 kB` of `/proc/meminfo`.
  package static func parseAvailable(_ text: String) -> Int? {
    parseLine("MemAvailable:", of: text, unit: "kB").flatMap {
      let (bytes, overflow) = $0.multipliedReportingOverflow(by: 1024)
      return overflow ? nil : bytes
    }
  }

  /// The number of a line `name 17`, or `name 17 kB`; nil where there is no such line, or it has another form.
  static func parseLine(_ name: String, of text: String, unit: String? = nil) -> Int? {
    for line in text.split(separator: "\n") {
      let words = line.split(whereSeparator: \.isWhitespace)
      guard let first = words.first, first == name else { continue }
      guard words.count == (unit == nil ? 2 : 3), unit.map({ words[2] == $0 }) ?? true else { return nil }
      return Int(words[1]).flatMap { $0 >= 0 ? $0 : nil }
    }
    return nil
  }

  /// The limit on the address space less what is mapped.
  private static func addressSpaceLeft() -> Int? {
    var limit = rlimit()
    #if canImport(Glibc)
      let status = getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
    #else
      let status = getrlimit(RLIMIT_AS, &limit)
    #endif
    guard status == 0, let most = Int(exactly: limit.rlim_cur) else { return nil }
    let pages = ControlGroups.readText("/proc/self/statm")?.split(separator: " ").first.flatMap { Int($0) }
    return max(0, most - (pages ?? 0) * sysconf(Int32(_SC_PAGESIZE)))
  }
}

extension ControlGroups {
  /// How many bytes of memory this process's groups have left, the tightest of them: the limit less what is used, files in cache not
  /// counted, since the kernel drops those first. `nil` where nothing that can be read sets a limit.
  package func memoryLeft() -> Int? {
    tightest("memory") { folder, isVersion2 in
      let (limit, usage) =
        isVersion2
        ? ("memory.max", "memory.current") : ("memory.limit_in_bytes", "memory.usage_in_bytes")
      // `max` is no limit in version 2; version 1 has a number beyond any memory, which needs no care.
      guard let most = Self.readText("\(folder)/\(limit)").flatMap(Self.parseInteger), most >= 0,
        let used = Self.readText("\(folder)/\(usage)").flatMap(Self.parseInteger), used >= 0
      else { return nil }
      let statistics = Self.readText("\(folder)/memory.stat") ?? ""
      // Version 1 counts a group's children under names of their own.
      let names = ["inactive_file", "active_file"].map { isVersion2 ? $0 : "total_" + $0 }
      let cached = names.compactMap { MemoryBudget.parseLine($0, of: statistics) }
        .reduce(0) { $0 + min($1, used - $0) }
      return max(0, most - (used - cached))
    }
  }
}
