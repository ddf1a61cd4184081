/// What a tensor operation refuses, in one line that names the operation, what was given and what was expected.
public struct TensorError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The operation that refused, `reshaped(to:)` for instance.
  public let operation: String

  /// What was given and what was expected.
  public let reason: String

  /// An error of `operation`.
  public init(_ operation: String, _ reason: String) {
    self.operation = operation
    self.reason = reason
  }

  /// `operation: reason`
  public var description: String { "\(operation): \(reason)" }
}
