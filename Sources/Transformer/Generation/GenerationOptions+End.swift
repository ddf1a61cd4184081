extension GenerationOptions {
  /// Why a text ends with a token; nil where it goes on.
  ///
  /// - Parameters:
  ///   - token: the last one.
  ///   - ends: the tokens that end a text of the model.
  ///   - generated: how many were generated, the last one included.
  ///   - length: tokens of the text, its prompt included.
  ///   - capacity: the most of them.
  func end(
    with token: Int, ends: Set<Int>, generated: Int, length: Int, capacity: Int
  ) -> GenerationEnd? {
    stopsAtEnd && ends.contains(token)
      ? .token : limit(generated: generated, length: length, capacity: capacity)
  }

  /// Which limit a text has reached; nil where it may go on.
  func limit(generated: Int, length: Int, capacity: Int) -> GenerationEnd? {
    if generated >= maximumTokens { return .maximum }
    return length >= capacity ? .capacity : nil
  }
}
