import ArgumentParser
import Attention
import Parallelism
import TensorFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What every command that computes a case asks for: the file, the flags that override its attributes, and the threads.
struct CaseArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp("The case, a safetensors file.", valueName: "case"),
    completion: .file(extensions: ["safetensors"]))
  var input: String?

  @OptionGroup(title: "Attributes of the case")
  var attributes: AttributeFlags

  @Option(parsing: .unconditional, help: "Threads to compute with. (default: what the process may use)")
  var threads: Int?

  func validate() throws {
    if let threads, !(1...WorkerPool.maximumThreadCount).contains(threads) {
      throw ValidationError("--threads: \(threads), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
  }

  /// The threads that were asked for.
  var pool: WorkerPool { threads.map { WorkerPool(threads: $0) } ?? .shared }

  /// Opens the case.
  ///
  /// - Parameter outputs: the flags that name files to be written, and what they name.
  /// - Returns: the file, and its metadata as the flags have changed it.
  /// - Throws: ``CaseError`` where an output is the case itself.
  func open(
    outputs: [(flag: String, path: String?)]
  ) throws -> (file: SafetensorsFile, metadata: [String: String]) {
    guard let input else { throw ValidationError("Missing expected argument '<case>'") }
    let file = try SafetensorsFile(path: input)
    for case (let flag, let path?) in outputs where isSameFile(input, path) {
      throw CaseError(flag, "\(path) is the case itself, expected another file")
    }
    let metadata = file.metadata.merging(attributes.overrides) { _, flag in flag }
    try checkFlags(for: CaseOperator(metadata))
    return (file, metadata)
  }

  /// Throws where a flag is an attribute of another operator than the case's.
  private func checkFlags(for op: CaseOperator) throws(CaseError) {
    for name in attributes.overrides.keys.sorted() where name != "op" && !op.attributeNames.contains(name) {
      throw CaseError(AttributeFlags.flag(name), "an attribute of another operator, not of \(op.rawValue)")
    }
  }

  /// Does what a command does, in the words of a case file.
  ///
  /// - Parameter body: gives the warnings. They are told after all that can fail: an error stays a single line.
  /// - Throws: what `body` throws, and ``CaseError`` for what attention refuses.
  func warning(_ body: () throws -> [String]) throws {
    do {
      for warning in try body() { printError("attention: warning: \(warning)") }
    } catch let error as AttentionError {
      throw CaseError(error)
    }
  }
}

/// The warnings about metadata that does nothing.
func warnings(ofIgnored names: [String]) -> [String] { names.map { "metadata \(quoted($0)) has no effect" } }

/// Writes a line, or several, to stderr.
func printError(_ line: String) {
  let bytes = Array("\(line)\n".utf8)
  // A message that nobody can receive is no reason to fail.
  _ = write(STDERR_FILENO, bytes, bytes.count)
}

/// Whether two paths lead to one file that exists.
private func isSameFile(_ first: String, _ second: String) -> Bool {
  var (a, b) = (stat(), stat())
  return stat(first, &a) == 0 && stat(second, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
}
