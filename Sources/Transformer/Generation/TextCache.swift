import Attention

/// The keys and values of one text.
protocol TextCache {
  /// How many tokens they are of.
  var count: Int { get }

  /// Runs the text's next tokens through a model, and keeps what they leave once `body` has seen their states.
  ///
  /// - Parameter body: gets what ``DecoderModel/states(_:_:)`` returns. Where it throws, the text stays as it was.
  func pass<Result>(
    _ tokens: [Int], through decoder: DecoderModel, _ body: (Tensor<Float>) throws(AttentionError) -> Result
  ) throws(AttentionError) -> Result
}

/// A text whose keys and values are all in this process.
struct SequenceCache: TextCache {
  private let sequence: KeyValueSequence

  /// A ring where the options name a window that is smaller than the capacity.
  init(
    _ decoder: DecoderModel, _ options: GenerationOptions, capacity: Int
  ) throws(AttentionError) {
    guard let window = options.window(within: capacity) else {
      let pool = try decoder.makePool(
        keys: options.keys, values: options.values, pages: (capacity - 1) / 64 + 1)
      sequence = pool.makeSequence()
      return
    }
    let longestAppend = min(options.chunk, capacity)
    let pool = try decoder.makePool(
      keys: options.keys, values: options.values,
      pages: (options.keptTokens + window + longestAppend) / 64 + 2)
    sequence = try pool.makeSequence(
      window: window - 1, keepingFirst: options.keptTokens, longestAppend: longestAppend)
  }

  var count: Int { sequence.count }

  func pass<Result>(
    _ tokens: [Int], through decoder: DecoderModel, _ body: (Tensor<Float>) throws(AttentionError) -> Result
  ) throws(AttentionError) -> Result {
    let step = try KeyValueStep([sequence], appending: [tokens])
    let result = try body(decoder.states([tokens], step))
    try step.commit()
    return result
  }
}

extension GenerationOptions {
  /// The window of a text of so many tokens; nil where it sees all.
  func window(within capacity: Int) -> Int? {
    window.flatMap { $0 < capacity - keptTokens ? $0 : nil }
  }
}
