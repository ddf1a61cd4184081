#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Reads the limits of this process from Linux control groups, versions 1 and 2: CPU time, and memory.
///
/// `/proc/self/cgroup` says which group the process is in, as a path below the place where the hierarchy is mounted. A
/// group is subject to its ancestors' limits too, so the tightest of the group and all above it counts. In a container
/// the path is often the host's, and what is mounted begins at the container's own group: the parts of the path that do
/// not exist are passed over on the way up, and the root is read in the end.
package struct ControlGroups {
  /// `/proc/self/cgroup`, or a file like it.
  let membershipFile: String
  /// `/sys/fs/cgroup`, or a folder like it.
  let mount: String

  package static let system = ControlGroups(membershipFile: "/proc/self/cgroup", mount: "/sys/fs/cgroup")

  package init(membershipFile: String, mount: String) {
    self.membershipFile = membershipFile
    self.mount = mount
  }

  /// How many CPUs' worth of time this process may use; `nil` where nothing that can be read sets a limit.
  package func quota() -> Double? {
    tightest("cpu") { folder, isVersion2 in
      if isVersion2 { return Self.readText(folder + "/cpu.max").flatMap(Self.parseCPUMax) }
      guard let quota = Self.readText(folder + "/cpu.cfs_quota_us"),
        let period = Self.readText(folder + "/cpu.cfs_period_us")
      else { return nil }
      return Self.parseQuota(quota, period: period)
    }
  }

  /// The least of what the folders of this process's groups and of all above them say; nil where none says anything.
  func tightest<Limit: Comparable>(
    _ controller: String, _ limit: (_ folder: String, _ isVersion2: Bool) -> Limit?
  ) -> Limit? {
    guard let membership = Self.readText(membershipFile) else { return nil }
    var tightest: Limit?
    for group in Self.parseMembership(membership, controller: controller) {
      let isVersion2 = group.controllers.isEmpty
      let place = isVersion2 ? mount : mount + "/" + group.controllers.joined(separator: ",")
      for folder in Self.ancestry(group.path) {
        guard let found = limit(place + folder, isVersion2) else { continue }
        tightest = min(tightest ?? found, found)
      }
    }
    return tightest
  }

  /// One line of the membership file that can bear on a controller: version 2 has no controllers, version 1 has it among them, and is
  /// mounted at their names.
  package struct Group: Equatable {
    package let controllers: [String]
    package let path: String
  }

  /// The lines `number:controllers:path` that matter to a controller; what has another form is passed over.
  package static func parseMembership(_ text: String, controller: String) -> [Group] {
    text.utf8.split(separator: UInt8(ascii: "\n")).compactMap { line in
      // A path may hold colons.
      let parts = line.split(separator: UInt8(ascii: ":"), maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[2].first == UInt8(ascii: "/") else { return nil }
      let controllers = parts[1].split(separator: UInt8(ascii: ",")).map {
        String(decoding: $0, as: UTF8.self)
      }
      let isVersion2 = parts[1].isEmpty && parts[0].elementsEqual("0".utf8)
      // The names become part of a path, so only the kernel's own forms are accepted.
      let isVersion1 =
        controllers.contains(controller) && controllers.allSatisfy { $0.utf8.allSatisfy(isNameByte) }
      guard isVersion2 || isVersion1 else { return nil }
      return Group(controllers: controllers, path: String(decoding: parts[2], as: UTF8.self))
    }
  }

  private static func isNameByte(_ byte: UInt8) -> Bool {
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || byte == UInt8(ascii: "_")
  }

  /// The folders `path`, its parent, … and the root, which is "".
  ///
  /// A path that leads upward (`/../other`) names a group outside of what this process can see; so does one longer than
  /// the system's limit. Only the root is read for those.
  package static func ancestry(_ path: String) -> [String] {
    guard path.utf8.count < Int(PATH_MAX) else { return [""] }
    let parts = path.split(separator: "/")
    guard !parts.contains("..") else { return [""] }
    return (0...parts.count).reversed().map { count in parts[..<count].map { "/" + $0 }.joined() }
  }

  /// The quota in a `cpu.max` file: `max 100000` (no limit) or `150000 100000` (microseconds per period).
  package static func parseCPUMax(_ text: String) -> Double? {
    let words = text.split(whereSeparator: \.isWhitespace)
    guard words.count == 2 else { return nil }
    return parseQuota(String(words[0]), period: String(words[1]))
  }

  /// CPUs' worth of time from a quota and a period in microseconds; `nil` unless both are positive integers
  /// (version 1 writes −1 for no limit).
  package static func parseQuota(_ quota: String, period: String) -> Double? {
    guard let quota = parseInteger(quota), let period = parseInteger(period), quota > 0, period > 0 else {
      return nil
    }
    return Double(quota) / Double(period)
  }

  /// The one integer of a text; nil where it is another text.
  static func parseInteger(_ text: String) -> Int? {
    let words = text.split(whereSeparator: \.isWhitespace)
    return words.count == 1 ? Int(words[0]) : nil
  }

  /// The beginning of a file as text: these files hold a line or a few. `nil` where it cannot be read.
  static func readText(_ path: String) -> String? {
    // Not blocking: what is no regular file must not stop a program's start.
    let file = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard file >= 0 else { return nil }
    defer { close(file) }
    return withUnsafeTemporaryAllocation(byteCount: 16 << 10, alignment: 1) { buffer in
      var filled = 0
      while filled < buffer.count {
        let count = read(file, buffer.baseAddress! + filled, buffer.count - filled)
        if count < 0 { return nil }
        if count == 0 { break }
        filled += count
      }
      return String(decoding: buffer[..<filled], as: UTF8.self)
    }
  }
}
