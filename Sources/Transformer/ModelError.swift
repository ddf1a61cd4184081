import TensorFiles

/// Why a model, a tokenizer or a request to it was refused, in one line.
public struct ModelError: Error, Sendable, CustomStringConvertible {
  /// What is wrong: a file's path, an argument's name, a key of a file.
  public let subject: String

  /// What was found and what was expected. Control characters are escaped when it is printed.
  public let reason: String

  /// An error about `subject`.
  public init(_ subject: String, _ reason: String) {
    self.subject = subject
    self.reason = reason
  }

  /// `subject: reason`, on one line whatever a file's names contain.
  public var description: String { "\(onOneLine(subject)): \(onOneLine(reason))" }
}
