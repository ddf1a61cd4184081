/// Tokens as they come from a model; ``TextGenerator`` makes it.
///
/// Each iterator generates anew, on a thread of its own. What it computed ahead is bounded; the thread waits when the reader is slow.
/// Cancelling the reading task, or dropping the iterator, ends the computation within one token or one chunk of the prompt.
public struct TokenStream: AsyncSequence, Sendable {
  /// A token and its text.
  public typealias Element = GeneratedToken

  let generator: TextGenerator
  let prompt: TextGenerator.Prompt
  let options: GenerationOptions

  /// Starts generating.
  public func makeAsyncIterator() -> Iterator {
    let channel = TokenChannel(capacity: TextGenerator.bufferedTokens)
    generator.start(prompt, options, into: channel)
    return Iterator(channel: channel)
  }

  /// Reads tokens; for one task at a time.
  ///
  /// Copies read from one computation.
  public struct Iterator: AsyncIteratorProtocol {
    private let reader: Reader

    init(channel: TokenChannel) { reader = Reader(channel: channel) }

    /// The next token; nil after the last.
    ///
    /// - Throws: ``ModelError`` where the prompt or the model is at fault, `CancellationError` where the task is cancelled.
    public mutating func next() async throws -> GeneratedToken? { try await reader.channel.next() }
  }

  /// Ends the computation with the last copy of an iterator.
  private final class Reader: Sendable {
    let channel: TokenChannel

    init(channel: TokenChannel) { self.channel = channel }

    deinit { channel.cancel() }
  }
}
