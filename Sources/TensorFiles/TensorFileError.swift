#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Why a file of tensors could not be read or written, in one line.
public struct TensorFileError: Error, Sendable, CustomStringConvertible {
  /// The file, or the name given to bytes in memory.
  public let path: String

  /// What was found and what was expected. Names and values from the file are quoted, escaped and shortened.
  public let reason: String

  /// `path: reason`, on one line whatever the path or the file contains.
  public var description: String { "\(onOneLine(path)): \(reason)" }

  /// What a system call failed with.
  private let code: Int32?

  /// Whether the system had no memory.
  package var isOutOfMemory: Bool { code == ENOMEM }

  init(path: String, reason: String) {
    self.init(path: path, reason: reason, code: nil)
  }

  private init(path: String, reason: String, code: Int32?) {
    self.path = path
    self.reason = reason
    self.code = code
  }

  /// A system call that failed with `code`.
  init(path: String, failed action: String, code: Int32) {
    self.init(path: path, reason: "cannot \(action): \(String(cString: strerror(code)))", code: code)
  }
}

/// A string from a file as it may stand in a message: quoted, on one line, at most 80 characters.
package func quoted(_ text: String) -> String {
  let limit = 80
  let shown = text.unicodeScalars.prefix(limit)
  let ellipsis = shown.endIndex == text.unicodeScalars.endIndex ? "" : "..."
  return "\"\(onOneLine(String(shown)))\(ellipsis)\""
}

/// The text without line breaks, control characters or marks that reorder what a terminal shows.
package func onOneLine(_ text: String) -> String {
  var result = ""
  for scalar in text.unicodeScalars {
    switch scalar.properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .unassigned, .privateUse:
      result += scalar.escaped(asASCII: true)
    default:
      result.unicodeScalars.append(scalar)
    }
  }
  return result
}
