import TensorFiles
import TestSupport
import Testing

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The bytes of a file that is replaced by them.
private func replace(
  _ path: String, isNamed: Bool, by bytes: [UInt8], between: () throws -> Void = {}
) throws {
  let (first, second) = (Array(bytes[..<(bytes.count / 2)]), Array(bytes[(bytes.count / 2)...]))
  var thrown: (any Error)?
  try replaceFile(at: path, isNamed: isNamed) { (append) throws(TensorFileError) in
    try first.span.withUnsafeBytes { (part) throws(TensorFileError) in try append(part) }
    do { try between() } catch { thrown = error }
    try second.span.withUnsafeBytes { (part) throws(TensorFileError) in try append(part) }
  }
  if let thrown { throw thrown }
}

/// Ends the process in the middle of what this thread does: the signal may reach another thread first.
private func endProcess(by number: Int32) {
  kill(getpid(), number)
  while true { pause() }
}

@Suite struct FileReplacementTests {
  /// A file system in memory, which can make files without a name wherever Linux runs; /tmp may lie on one that cannot.
  private static let memory = "/dev/shm"

  @Test(arguments: [false, true]) func filesAreMadeAndReplacedWhole(isNamed: Bool) throws {
    let directory = try TemporaryDirectory(in: Self.memory)
    let path = "\(directory.path)/x"
    try replace(path, isNamed: isNamed, by: [1, 2, 3, 4]) { () throws in
      #expect(try directory.contents().count == (isNamed ? 1 : 0))
      #expect(try !directory.contents().contains("x"))
    }
    #expect(try contents(of: path) == [1, 2, 3, 4])
    try replace(path, isNamed: isNamed, by: [5, 6]) { () throws in
      #expect(try contents(of: path) == [1, 2, 3, 4])
      #expect(try directory.contents().count == (isNamed ? 2 : 1))
    }
    #expect(try contents(of: path) == [5, 6])
    #expect(try directory.contents() == ["x"])
  }

  @Test(arguments: [false, true]) func aLinkIsReplacedAndNotFollowed(isNamed: Bool) throws {
    let directory = try TemporaryDirectory()
    let old = try directory.write([1], to: "old")
    let link = "\(directory.path)/link"
    for target in [old, "\(directory.path)/nowhere"] {
      try #require(symlink(target, link) == 0)
      try replace(link, isNamed: isNamed, by: [2, 3])
      #expect(try contents(of: link) == [2, 3])
      #expect(try contents(of: old) == [1])
      #expect(try directory.contents() == ["link", "old"])
      unlink(link)
    }
  }

  /// Where the new file cannot take its name, as where a folder took it meanwhile.
  @Test(arguments: [false, true]) func aNameThatWasTakenMeanwhileIsAnError(isNamed: Bool) throws {
    let directory = try TemporaryDirectory()
    let path = "\(directory.path)/x"
    #expect(throws: TensorFileError.self) {
      try replace(path, isNamed: isNamed, by: [1, 2]) { mkdir(path, 0o700) }
    }
    #expect(try directory.contents() == ["x"])
    rmdir(path)
  }

  @Test func noSignalLeavesAnUnnamedFile() async throws {
    let directory = try TemporaryDirectory(in: Self.memory)
    _ = try directory.write([1], to: "old")
    // SIGKILL, which nothing can prepare for, without any preparation.
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
      try replace("\(path)/new", isNamed: false, by: [2, 3]) { endProcess(by: SIGKILL) }
    }
    await #expect(processExitsWith: .signal(SIGKILL)) { [path = directory.path as String] in
      try replace("\(path)/old", isNamed: false, by: [2, 3]) { endProcess(by: SIGKILL) }
    }
    #expect(try directory.contents() == ["old"])
    #expect(try contents(of: "\(directory.path)/old") == [1])
  }

  @Test(arguments: [SIGINT, SIGTERM, SIGHUP]) func signalsRemoveNamedFiles(number: Int32) async throws {
    let directory = try TemporaryDirectory()
    _ = try directory.write([1], to: "old")
    await #expect(processExitsWith: .signal(number)) {
      [path = directory.path as String, number = number as Int32] in
      removeTemporaryFilesOnSignals()
      try replace("\(path)/new", isNamed: true, by: [2, 3]) { () throws in
        // What is still being written has to go, and what was finished has to stay.
        try replace("\(path)/finished", isNamed: true, by: [4])
        try replace("\(path)/old", isNamed: true, by: [2, 3]) { endProcess(by: number) }
      }
    }
    #expect(try directory.contents() == ["finished", "old"])
    #expect(try contents(of: "\(directory.path)/old") == [1])
    #expect(try contents(of: "\(directory.path)/finished") == [4])
  }

  @Test func ignoredSignalsStayIgnored() async throws {
    let directory = try TemporaryDirectory()
    await #expect(processExitsWith: .success) { [path = directory.path as String] in
      signal(SIGHUP, SIG_IGN)
      removeTemporaryFilesOnSignals()
      try replace("\(path)/new", isNamed: true, by: [2, 3]) { kill(getpid(), SIGHUP) }
    }
    #expect(try contents(of: "\(directory.path)/new") == [2, 3])
  }
}
