import Foundation
import Parallelism
import TestSupport
import Testing

@Suite struct ControlGroupsTests {
  typealias Group = ControlGroups.Group

  @Test(
    arguments: [
      ("50000 100000\n", 0.5), ("150000 100000", 1.5), ("max 100000\n", nil), ("", nil), ("max", nil),
      ("100000", nil),
      ("0 100000", nil), ("-1 100000", nil), ("100000 0", nil), ("100000 -5", nil), ("1 2 3", nil),
      ("a b", nil),
      ("99999999999999999999 1", nil), ("1e5 1e5", nil), ("0x10 1", nil), ("\u{0}\u{0}", nil),
      ("9223372036854775807 1", 9.223372036854775807e18), ("1\t2\r\n", 0.5),
    ] as [(String, Double?)])
  func parsesCPUMax(text: String, expected: Double?) {
    #expect(ControlGroups.parseCPUMax(text) == expected, "\(text.debugDescription)")
  }

  @Test(arguments: [
    ("0::/\n", ["v2 /"]), ("0::/a/b", ["v2 /a/b"]), ("0::/a:b", ["v2 /a:b"]), ("0::relative", []),
    ("0::", []),
    ("", []), ("::::", []), ("0:", []), ("1::/a", []),
    ("4:memory:/m\n3:cpu,cpuacct:/c\n", ["cpu,cpuacct /c"]),
    ("1:cpu:/\n0::/u\n", ["cpu /", "v2 /u"]), ("2:cpuset:/x", []), ("3:cpu,../../etc:/x", []),
    ("3:cpu,:/", ["cpu /"]),
    ("\u{0}\n\n0::/ok\n", ["v2 /ok"]),
  ])
  func parsesMembership(text: String, expected: [String]) {
    let groups = ControlGroups.parseMembership(text, controller: "cpu").map { group in
      (group.controllers.isEmpty ? "v2" : group.controllers.joined(separator: ",")) + " " + group.path
    }
    #expect(groups == expected, "\(text.debugDescription)")
  }

  @Test(arguments: [
    ("/", [""]), ("/a", ["/a", ""]), ("/a/b", ["/a/b", "/a", ""]), ("//a//", ["/a", ""]), ("/../other", [""]),
    ("/a/../../etc", [""]), ("/" + String(repeating: "x/", count: 5000), [""]),
  ])
  func listsAncestors(path: String, expected: [String]) {
    #expect(ControlGroups.ancestry(path) == expected)
  }

  @Test func takesTheTightestOnTheWayUp() throws {
    let tree = try TemporaryDirectory([
      "membership": "0::/pod/container/inner\n", "fs/cpu.max": "max 100000",
      "fs/pod/cpu.max": "150000 100000",
      "fs/pod/container/cpu.max": "400000 100000", "fs/pod/container/inner/cpu.max": "max 100000",
    ])
    #expect(tree.groups.quota() == 1.5)
  }

  @Test func readsTheRootOfAContainerMount() throws {
    // The path is the host's; what is mounted begins at the container.
    let tree = try TemporaryDirectory(["membership": "0::/docker/0123\n", "fs/cpu.max": "250000 100000\n"])
    #expect(tree.groups.quota() == 2.5)
  }

  @Test func readsVersion1() throws {
    let tree = try TemporaryDirectory([
      "membership": "7:memory:/x\n3:cpu,cpuacct:/x\n", "fs/cpu,cpuacct/cpu.cfs_quota_us": "-1\n",
      "fs/cpu,cpuacct/cpu.cfs_period_us": "100000\n", "fs/cpu,cpuacct/x/cpu.cfs_quota_us": "300000\n",
      "fs/cpu,cpuacct/x/cpu.cfs_period_us": "100000\n",
    ])
    #expect(tree.groups.quota() == 3)
  }

  @Test(
    arguments: [
      [:], ["membership": ""], ["membership": "0::/a\n"], ["fs/cpu.max": "1 1"],
      ["membership": "0::/a", "fs/cpu.max": "max 100000", "fs/a/cpu.max": "\u{FFFD}\u{0}garbage"],
      ["membership": "0::/a", "fs/a/cpu.max/folder": "1 1"],
      ["membership": "3:cpu:/\n", "fs/cpu/cpu.cfs_quota_us": "100000"],
      ["membership": "0::/../a", "fs/a/cpu.max": "1 1", "a/cpu.max": "1 1"],
    ] as [[String: String]])
  func findsNoQuotaWhereNoneCanBeRead(files: [String: String]) throws {
    let tree = try TemporaryDirectory(files)
    #expect(tree.groups.quota() == nil, "\(files)")
  }

  @Test func survivesBytesThatAreNoTextAndEndlessFiles() throws {
    let tree = try TemporaryDirectory(["membership": "0::/a\n", "fs/a/other": ""])
    let file = tree.url.appendingPathComponent("fs/a/cpu.max")
    try Data([0xFF, 0xFE, 0x00, 0x80]).write(to: file)
    #expect(tree.groups.quota() == nil)
    try Data(repeating: UInt8(ascii: "9"), count: 1 << 20).write(to: file)
    #expect(tree.groups.quota() == nil)
    let endless = ControlGroups(membershipFile: "/dev/zero", mount: "/")
    #expect(endless.quota() == nil)
  }
}

/// A folder with given files, removed when the value goes.
extension TemporaryDirectory {
  /// What this tree says of a process.
  fileprivate var groups: ControlGroups {
    ControlGroups(membershipFile: file("membership"), mount: file("fs"))
  }
}
