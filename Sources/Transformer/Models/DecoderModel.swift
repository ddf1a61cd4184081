import Attention
import LinearAlgebra
import TensorFiles

/// A language model: tokens in, logits of the next token out.
///
///     let model = try DecoderModel(path: "model.gguf", weights: .bfloat16)
///     let pool = try model.makePool(keys: .bfloat16, values: .bfloat16, pageSize: 64, pages: 32)
///     let step = try KeyValueStep([pool.makeSequence()], appending: [tokens])
///     let states = try model.states([tokens], step)              // [total, width]; keys and values are in the cache
///     let logits = try model.logits(of: states, rows: [tokens.count - 1])
///     try step.commit()
///
/// The families of ``DecoderConfiguration/Family``, from a GGUF file or a folder in Hugging Face's layout. A value that holds weights and
/// no state: sequences live in their pool, and several threads may run steps of different sequences, though each uses all threads of
/// the pool of workers.
public struct DecoderModel: Sendable {
  /// What it is built like.
  public let configuration: DecoderConfiguration
  /// How the weights are stored.
  public let weightType: WeightType
  /// The most tokens of a sequence: what the rotary tables cover.
  public let context: Int

  /// A row a token.
  let embedding: Embedding
  var layers: [DecoderLayer]
  let norm: Norm
  /// From a token's state to its logits.
  let head: Linear
  let workers: WorkerPool

  /// Where the rows of tokens are.
  enum Embedding: Sendable {
    /// The head's weight serves for both.
    case head
    /// Rows stay in the mapped file, converted as they are read: few are, and in panels each number would take a cache line.
    case file(WeightRows)
  }

  /// The bytes of all matrices.
  public var byteCount: Int {
    let parts = layers.flatMap { layer -> [Linear] in
      let opening =
        switch layer.feedForward.opening {
        case .gated(let linear), .plain(let linear): linear
        }
      return [layer.attention.projection, layer.attention.output, opening, layer.feedForward.down]
    }
    return (parts + [head]).reduce(0) { $0 + $1.byteCount }
  }

  /// A pool for this model's keys and values.
  ///
  /// - Parameters:
  ///   - keys: what keys are stored in.
  ///   - values: what values are stored in.
  ///   - pageSize: rows of a page.
  ///   - pages: how many.
  /// - Throws: ``Attention/AttentionError`` where a number is out of range or there is no memory.
  public func makePool(
    keys: KeyValueType = .bfloat16, values: KeyValueType = .bfloat16, pageSize: Int = 64, pages: Int
  ) throws(AttentionError) -> KeyValuePool {
    try KeyValuePool(
      layers: configuration.layers, heads: configuration.keyValueHeads,
      depth: configuration.headDimension, keys: keys, values: values, pageSize: pageSize, pages: pages)
  }
}
