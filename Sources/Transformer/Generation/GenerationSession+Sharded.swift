import Attention
import DistributedAttention

extension GenerationSession {
  /// A text whose keys and values are spread over the ranks of a communicator: each keeps its part of them.
  ///
  ///     let session = try GenerationSession(model, options, over: communicator)      // the same on every rank
  ///     try session.prefill(tokens)
  ///     while let token = try session.next() { … }                                   // the same token on every rank
  ///
  /// All ranks hold the model, make the same calls with the same arguments, and get the same tokens. They are those of one rank but for
  /// rounding, which decides where two logits are almost equal. A call of which ranks disagree throws on all of them before anything is computed.
  ///
  /// - Parameters:
  ///   - model: the model with its tokenizer.
  ///   - options: how tokens are chosen, and what is kept of them; without ``GenerationOptions/window`` and ``GenerationOptions/tolerance``.
  ///   - capacity: the most tokens of the text; each rank makes a cache for its share of them. The model's context when nil.
  ///   - communicator: the ranks.
  /// - Throws: ``ModelError`` as without ranks, where options name what needs the whole cache, where ranks disagree, and where one is lost:
  ///   here and in all calls.
  public convenience init(
    _ model: LanguageModel, _ options: GenerationOptions = GenerationOptions(), capacity: Int? = nil,
    over communicator: some Communicator
  ) throws(ModelError) {
    try self.init(
      decoder: model.decoder, ends: model.tokenizer.end, options: options, capacity: capacity,
      over: communicator)
  }

  /// The same for a model without its tokenizer; `ends` are the tokens that end generation.
  public convenience init(
    decoder: DecoderModel, ends: Set<Int>, options: GenerationOptions, capacity: Int? = nil,
    over communicator: some Communicator
  ) throws(ModelError) {
    if options.window != nil {
      throw ModelError("window", "given for a text over several ranks, expected none")
    }
    if options.tolerance != nil {
      throw ModelError("tolerance", "given for a text over several ranks, expected none")
    }
    try self.init(decoder, ends, options, capacity) { (decoder, capacity) throws(ModelError) in
      try asModelError { () throws(AttentionError) in
        try asAttentionError { () throws(DistributedError) in
          try agree(
            "GenerationSession",
            [
              "decoder": "\(decoder.configuration) \(decoder.weightType)", "ends": "\(ends.sorted())",
              "options": "\(options)", "capacity": "\(capacity)",
            ], over: communicator)
        }
        return try ShardedCache(decoder, options, capacity: capacity, over: communicator)
      }
    }
  }
}
