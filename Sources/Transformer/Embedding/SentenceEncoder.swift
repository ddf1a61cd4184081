import Attention
import LinearAlgebra
import Parallelism

/// Texts in, one vector of each out: what search, clustering and comparing texts begin with.
///
///     let encoder = try SentenceEncoder(path: "all-minilm-l6-v2", weights: .bfloat16)
///     let vectors = try encoder.encode(["How do I reset my password?", "I forgot my login."])    // [2, 384]
///
/// A tokenizer, an ``EncoderModel`` and a ``Pooling``, as the model's files name them. Texts are packed into batches without padding: a text
/// costs what its own tokens cost, and has the same bits whatever it is encoded with and on any number of threads.
///
/// - SeeAlso: Reimers and Gurevych 2019, "Sentence-BERT: Sentence Embeddings using Siamese BERT-Networks".
public struct SentenceEncoder: Sendable {
  /// What makes tokens of texts.
  public let tokenizer: Tokenizer
  /// What makes states of tokens.
  public let encoder: EncoderModel
  /// What makes one vector of states.
  public let pooling: Pooling
  /// Whether vectors are divided by their lengths.
  public let isNormalized: Bool
  /// The most tokens of a text, special ones included; longer texts lose their ends.
  public let longest: Int
  /// Whether texts are put into lower case before the tokenizer sees them.
  let lowercases: Bool

  /// The width of a vector.
  public var width: Int { encoder.configuration.width }

  /// The tokens of a text, special ones included, at most ``longest``: where a text is cut, the tokens that end every text stay.
  public func tokens(of text: String) -> [Int] { tokenized(text).tokens }

  /// A vector for each text.
  ///
  /// - Parameter texts: any texts; an empty one has the vector of the special tokens alone.
  /// - Returns: `[texts.count, width]`, in the order of the texts.
  /// - Throws: ``ModelError`` where there is no memory.
  public func encode(_ texts: [String]) throws(ModelError) -> Tensor<Float> {
    var parts: [Tensor<Float>] = []
    for chunk in Self.chunks(of: texts) { parts.append(try encode(tokenized(chunk))) }
    return try joined(parts)
  }

  /// Texts that are made tokens of at a time, so that a long list takes no memory for the tokens of all.
  static func chunks(of texts: [String]) -> [ArraySlice<String>] {
    let count = 1024
    return stride(from: 0, to: texts.count, by: count).map { texts[$0..<min($0 + count, texts.count)] }
  }

  /// The same for texts that are tokens already.
  package func encode(_ texts: TokenizedTexts) throws(ModelError) -> Tensor<Float> {
    var parts: [Tensor<Float>] = []
    for batch in texts.batches(threads: encoder.workers.threadCount) {
      parts.append(try vectors(of: texts.tokens[batch]))
    }
    return try joined(parts)
  }

  /// Vectors of texts that are computed together: `[tokens.count, width]`.
  func vectors(of tokens: ArraySlice<[Int]>) throws(ModelError) -> Tensor<Float> {
    do {
      let tokens = Array(tokens)
      let x = try encoder.sums(of: tokens)
      let result = try RowMatrix(rows: tokens.count, width: width)
      var starts = [0]
      for text in tokens { starts.append(starts[starts.count - 1] + text.count) }
      let work = 4 * width * (x.rows / max(tokens.count, 1) + 1)
      forEachRow(tokens.count, work: work, on: encoder.workers) { text in
        pooling.apply(to: starts[text]..<starts[text + 1], width: width, into: result[text]) { row in
          encoder.norm.apply(to: x[row], into: x[row])
          return UnsafePointer(x[row])
        }
        if isNormalized { normalise(result[text], count: width) }
      }
      return result.tensor
    } catch {
      throw ModelError("texts", error.description)
    }
  }

  func joined(_ parts: [Tensor<Float>]) throws(ModelError) -> Tensor<Float> {
    if parts.count == 1 { return parts[0] }
    do {
      return parts.isEmpty ? Tensor.zeros([0, width]) : try Tensor.concatenate(parts, axis: 0)
    } catch {
      throw ModelError("texts", error.description)
    }
  }
}
