import Foundation
import Transformer

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The most bytes of a prompt or a file of prompts: far more than any context holds.
private let largestInput = 256 << 20

/// All of standard input, as text.
///
/// - Throws: ``ModelError`` where it cannot be read, is no UTF-8 or too long.
func standardInputText() throws(ModelError) -> String {
  var bytes: [UInt8] = []
  var buffer = [UInt8](repeating: 0, count: 1 << 16)
  while true {
    let count = read(STDIN_FILENO, &buffer, buffer.count)
    if count == 0 { break }
    if count > 0 {
      bytes += buffer[..<count]
    } else if errno != EINTR {
      throw ModelError("standard input", "cannot be read: \(String(cString: strerror(errno)))")
    }
    if bytes.count > largestInput {
      throw ModelError("standard input", "more than \(largestInput) bytes, expected a prompt")
    }
  }
  return try text(bytes, of: "standard input")
}

/// A file's text.
///
/// - Throws: ``ModelError`` where it cannot be read, is no UTF-8 or too long.
func fileText(_ path: String) throws(ModelError) -> String {
  var status = stat()
  guard stat(path, &status) == 0 else {
    throw ModelError(path, "cannot be read: \(String(cString: strerror(errno)))")
  }
  guard status.st_mode & S_IFMT != S_IFDIR else { throw ModelError(path, "a folder, expected a file") }
  guard status.st_size <= largestInput else {
    throw ModelError(path, "\(status.st_size) bytes, expected at most \(largestInput)")
  }
  guard let data = FileManager.default.contents(atPath: path) else {
    throw ModelError(path, "cannot be read")
  }
  return try text([UInt8](data), of: path)
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
