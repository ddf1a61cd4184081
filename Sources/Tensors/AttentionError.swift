/// What this package refuses or cannot finish, in one line that names the argument, what was given and what was expected.
///
/// Tensors, linear algebra and attention all throw this type, so that one `throws(AttentionError)` function can call them all.
/// A call that throws has written to none of its arguments, unless its documentation says otherwise.
public struct AttentionError: Error, Equatable, Sendable, CustomStringConvertible {
  /// What went wrong, for programs that treat some failures otherwise than others.
  public enum Kind: Equatable, Sendable {
    /// Arguments do not fit each other, or the limits of the operation.
    case invalidArgument

    /// The system has no memory for a result, a workspace or a larger capacity.
    case outOfMemory

    /// The matrix has no inverse: its factor `U` has an exact zero at this index of the diagonal, counted from 0.
    case singular(pivot: Int)

    /// The iteration did not find all values; `info` is LAPACK's count of those that are left.
    case noConvergence(info: Int)
  }

  /// What went wrong.
  public let kind: Kind

  /// The argument at fault, as the function that throws names it: `queries`, `mask`, `softcap` and so on; the operation's
  /// name, such as `reshaped(to:)`, where the whole call is.
  public let argument: String

  /// What was given and what was expected, with the shapes that do not fit.
  public let reason: String

  /// An error about an argument that does not fit.
  public init(_ argument: String, _ reason: String) {
    self.init(.invalidArgument, argument, reason)
  }

  /// An error of any kind.
  public init(_ kind: Kind, _ argument: String, _ reason: String) {
    self.kind = kind
    self.argument = argument
    self.reason = reason
  }

  /// `argument: reason`
  public var description: String { "\(argument): \(reason)" }
}
