/// A token that a model wrote, and the text that it completes.
public struct GeneratedToken: Sendable, Equatable {
  /// The token.
  public let id: Int

  /// What may be shown now: empty while a character is incomplete, or while the text may become a stop text.
  public let text: String
}
