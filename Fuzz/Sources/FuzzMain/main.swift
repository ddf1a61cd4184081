import CFuzzDriver
import FuzzTargets

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

// One program for all targets, so that the library is linked once: `FUZZ_TARGET=gguf fuzz -max_total_time=60 found/ corpus/`.

/// The target that the environment names.
private let target: FuzzTarget = {
  let name = getenv("FUZZ_TARGET").map { String(cString: $0) } ?? ""
  guard let target = FuzzTarget.all.first(where: { $0.name == name }) else {
    let names = FuzzTarget.all.map(\.name).joined(separator: ", ")
    complain("FUZZ_TARGET is \"\(name)\", expected one of \(names)")
    exit(64)
  }
  return target
}()

private func complain(_ line: String) {
  let bytes = Array("\(line)\n".utf8)
  _ = write(STDERR_FILENO, bytes, bytes.count)
}

exit(
  CFuzzDriver_run(CommandLine.argc, CommandLine.unsafeArgv) { start, count in
    do {
      _ = try target.run(Array(UnsafeBufferPointer(start: start, count: count)))
    } catch {
      complain("fault: \(error)")
      abort()
    }
    return 0
  })
