import Attention
import LinearAlgebra
import Parallelism

/// An encoder in the way of BERT: tokens in, what the model makes of each of them in its sequence out.
///
///     let model = try EncoderModel(path: "all-minilm-l6-v2", weights: .bfloat16)
///     let states = try model.states([[101, 7592, 102], [101, 2088, 102]])        // [6, width]
///
/// From a folder in Hugging Face's layout or a GGUF file. A value that holds weights and no state: several threads may use it, though each
/// uses all threads of the pool of workers. ``SentenceEncoder`` makes one vector of each text.
///
/// - Important: The file must not change while the model lives: words' embeddings are read from it as they are used.
/// - SeeAlso: Devlin et al. 2018, "BERT: Pre-training of Deep Bidirectional Transformers for Language Understanding".
public struct EncoderModel: Sendable {
  /// What it is built like.
  public let configuration: EncoderConfiguration
  /// How the weights of products are stored.
  public let weightType: WeightType

  let embeddings: EncoderEmbeddings
  let layers: [EncoderLayer]
  /// The last norm of the last layer.
  let norm: Norm
  let workers: WorkerPool

  /// The bytes of all matrices that are kept in memory: not those of words' embeddings, which stay in the file.
  public var byteCount: Int {
    layers.reduce(0) { sum, layer in
      let opening =
        switch layer.feedForward.opening {
        case .gated(let linear), .plain(let linear): linear
        }
      return [layer.attention.projection, layer.attention.output, opening, layer.feedForward.down]
        .reduce(sum) { $0 + $1.byteCount }
    }
  }

  /// What the last layer makes of each token, normalised: `[total, width]`, one sequence after the other.
  ///
  /// Sequences never see each other, nothing is computed for padding, and a sequence gives the same bits alone and among others, on any
  /// number of threads. Every token has type 0. Scratch memory is some `4 · (5 · width + 2 · feedForwardWidth)` bytes a token.
  ///
  /// Queries, keys and values are Floats where the weights are Float32 or Float16, and bfloat16 for other weights.
  /// - Parameter tokens: the tokens of each sequence, special ones included.
  /// - Throws: ``Attention/AttentionError`` where a token is not below the vocabulary, a sequence is longer than
  ///   ``EncoderConfiguration/positions``, or there is no memory.
  public func states(_ tokens: [[Int]]) throws(AttentionError) -> Tensor<Float> {
    let x = try sums(of: tokens)
    forEachRow(x.rows, work: x.width, on: workers) { norm.apply(to: x[$0], into: x[$0]) }
    return x.tensor
  }

  /// What the last layer makes of each token, before its last norm.
  func sums(of tokens: [[Int]]) throws(AttentionError) -> RowMatrix {
    try check(tokens)
    let lengths = tokens.map(\.count)
    let x = try RowMatrix(rows: lengths.reduce(0, +), width: configuration.width)
    guard x.rows > 0, let first = layers.first else { return x }
    embeddings.write(tokens, to: x, on: workers)
    let scratch = try EncoderScratch(rows: x.rows, first)
    for layer in layers { try layer.run(x, lengths: lengths, scratch) }
    return x
  }

  private func check(_ tokens: [[Int]]) throws(AttentionError) {
    for (index, sequence) in tokens.enumerated() {
      guard sequence.count <= configuration.positions else {
        throw AttentionError(
          "tokens",
          "\(sequence.count) in sequence \(index) given, expected at most \(configuration.positions)")
      }
      for token in sequence where !(0..<configuration.vocabulary).contains(token) {
        throw AttentionError(
          "tokens", "\(token) in sequence \(index) given, expected 0..<\(configuration.vocabulary)")
      }
    }
  }
}
