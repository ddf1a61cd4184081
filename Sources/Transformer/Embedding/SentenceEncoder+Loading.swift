import Foundation
import LinearAlgebra
import Parallelism
import TensorFiles

extension SentenceEncoder {
  /// A model from a file or folder.
  ///
  /// - Parameters:
  ///   - path: a folder of sentence-transformers: `modules.json` and the files of the modules Transformer (a BERT), Pooling (mean or cls)
  ///     and, where vectors are to have length 1, Normalize; or a folder without `modules.json`, whose states are averaged; or a GGUF
  ///     file of a BERT, whose vectors get length 1.
  ///   - weights: what matrices are stored in.
  ///   - workers: the threads that compute.
  /// - Throws: ``ModelError`` where a file cannot be read or asks for what is not supported, the tokenizer does not fit the weights, or
  ///   anything that ``EncoderModel/init(path:weights:on:)`` refuses.
  public init(
    path: String, weights: WeightType = .bfloat16, on workers: WorkerPool = .shared
  ) throws(ModelError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(path, "no such file or folder")
    }
    if isFolder.boolValue {
      let modules = try SentenceModules(folder: path)
      let encoder = try EncoderModel(path: modules.encoder, weights: weights, on: workers)
      if let width = modules.width, width != encoder.configuration.width {
        throw ModelError(
          path, "pooling of \(width) columns, but the encoder makes \(encoder.configuration.width)")
      }
      try self.init(
        path: path, tokenizer: Tokenizer(folder: modules.encoder), encoder: encoder,
        pooling: modules.pooling, isNormalized: modules.normalizes, longest: modules.longest,
        lowercases: modules.lowercases)
    } else {
      let file = try openedGGUF(path)
      let encoder = try EncoderModel(gguf: file, path: path, weights: weights, on: workers)
      try self.init(
        path: path, tokenizer: Tokenizer(gguf: file), encoder: encoder,
        pooling: Self.pooling(of: file, path), isNormalized: true,
        longest: file.integer("bert.context_length"), lowercases: false)
    }
  }

  private init(
    path: String, tokenizer: Tokenizer, encoder: EncoderModel, pooling: Pooling, isNormalized: Bool,
    longest: Int?, lowercases: Bool
  ) throws(ModelError) {
    let (positions, vocabulary) = (encoder.configuration.positions, encoder.configuration.vocabulary)
    guard tokenizer.count <= vocabulary else {
      throw ModelError(
        path, "a tokenizer of \(tokenizer.count) tokens does not fit embeddings of \(vocabulary)")
    }
    let special = tokenizer.encode("").count
    let limit = min(longest ?? positions, positions)
    guard limit > special else {
      throw ModelError(
        path, "texts of at most \(limit) tokens, expected more than the \(special) special ones of every text"
      )
    }
    self.tokenizer = tokenizer
    self.encoder = encoder
    self.pooling = pooling
    self.isNormalized = isNormalized
    self.longest = limit
    self.lowercases = lowercases
  }

  private static func pooling(of file: GGUFFile, _ path: String) throws(ModelError) -> Pooling {
    let key = "bert.pooling_type"
    guard file.metadata(key) != nil else { return .mean }
    switch file.integer(key) {
    case 1: return .mean
    case 2: return .cls
    case let other:
      throw ModelError(
        path, "\(key) is \(other.map(String.init) ?? "no integer"), expected 1 (mean) or 2 (cls)")
    }
  }
}
