import Attention

/// What goes wrong where several ranks compute together.
public enum DistributedError: Error, Equatable, CustomStringConvertible {
  /// An argument of this rank's that does not fit, as alone. No rank has sent anything.
  case refused(AttentionError)
  /// Ranks made calls that differ: the first rank that differs from rank 0, or refused its arguments, and in what. All ranks throw it, before anything else is exchanged.
  case disagreement(rank: Int, argument: String, given: String, expected: String)
  /// There is nothing to send messages with: MPI does not start, or does not take calls from several threads.
  case unavailable(String)
  /// A rank that has ended or does not answer, as far as this one can tell. The communicator is of no use any more.
  case lostRank(Int, String)
  /// A message that failed, or has another length than both sides agreed on.
  case transfer(rank: Int, String)

  /// One line, for people.
  public var description: String {
    switch self {
    case .refused(let error): "\(error)"
    case .disagreement(let rank, let argument, let given, let expected):
      "rank \(rank): \(argument): \(given) given, expected \(expected)"
    case .unavailable(let text): text
    case .lostRank(let rank, let text): "rank \(rank): \(text)"
    case .transfer(let rank, let text): "a message between this rank and rank \(rank): \(text)"
    }
  }
}

/// Runs what refuses arguments, and says so as this module does.
func refusing<Result>(
  _ body: () throws(AttentionError) -> Result
) throws(DistributedError) -> Result {
  do throws(AttentionError) { return try body() } catch { throw .refused(error) }
}
