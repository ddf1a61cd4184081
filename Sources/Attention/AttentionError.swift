/// What attention refuses, in one line that names the argument, what was given and what was expected.
///
/// Thrown before anything is computed or written: a call that throws has no effect.
public struct AttentionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The argument at fault, as the function that throws names it: `queries`, `mask`, `softcap`, `positions` and so on.
  public let argument: String

  /// What was given and what was expected, with the shapes that do not fit.
  public let reason: String

  /// An error about `argument`.
  public init(_ argument: String, _ reason: String) {
    self.argument = argument
    self.reason = reason
  }

  /// `argument: reason`
  public var description: String { "\(argument): \(reason)" }
}
