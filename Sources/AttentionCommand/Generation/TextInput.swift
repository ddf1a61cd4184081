import Transformer

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The most bytes of texts that a command reads. A context of a million tokens is some 4 MiB of text, and a million sentences are some
/// 100 MiB; two or three copies of these are in memory while it is cut into lines.
private let largestInput = 256 << 20

/// All of standard input, as text.
///
/// - Throws: ``ModelError`` where it cannot be read, is no UTF-8 or too long.
func standardInputText() throws(ModelError) -> String {
  try text(standardInputBytes(), of: "standard input")
}

/// All of standard input.
///
/// - Throws: ``ModelError`` where it cannot be read or is too long.
func standardInputBytes() throws(ModelError) -> [UInt8] {
  try bytes(of: STDIN_FILENO, named: "standard input")
}

/// A file's text.
///
/// - Throws: ``ModelError`` where it cannot be read, is no UTF-8 or too long.
func fileText(_ path: String) throws(ModelError) -> String {
  let file = open(path, O_RDONLY | O_CLOEXEC)
  guard file >= 0 else { throw ModelError(path, "cannot be read: \(String(cString: strerror(errno)))") }
  defer { close(file) }
  var status = stat()
  if fstat(file, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
    throw ModelError(path, "a folder, expected a file")
  }
  return try text(bytes(of: file, named: path), of: path)
}

/// What is read from a file to its end, which a pipe or a device need not have.
private func bytes(of file: Int32, named name: String) throws(ModelError) -> [UInt8] {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(file, &buffer, buffer.count)
    if count == 0 { return bytes }
    if count > 0 {
      bytes += buffer[..<count]
    } else if errno != EINTR {
      throw ModelError(name, "cannot be read: \(String(cString: strerror(errno)))")
    }
    if bytes.count > largestInput {
      throw ModelError(name, "more than \(largestInput) bytes, expected fewer of text")
    }
  }
}

/// Throws where an argument of the process is no UTF-8: Swift has put U+FFFD into its copy.
func checkArguments() throws(ModelError) {
  for index in 1..<max(1, Int(CommandLine.argc)) {
    guard let argument = CommandLine.unsafeArgv[index] else { continue }
    if String(validatingCString: argument) == nil {
      throw ModelError("argument \(index)", "no UTF-8")
    }
  }
}

private func text(_ bytes: [UInt8], of source: String) throws(ModelError) -> String {
  guard let text = String(validating: bytes, as: UTF8.self) else { throw ModelError(source, "no UTF-8") }
  return text
}
