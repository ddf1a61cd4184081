import Attention
import Foundation
import LinearAlgebra
import TensorFiles

/// A model with its tokenizer: text in, text out.
///
///     let model = try LanguageModel(path: "model.gguf")
///     for try await token in TextGenerator(model).stream("The capital of France is") { print(token.text, terminator: "") }
public struct LanguageModel: Sendable {
  /// The file or folder.
  public let path: String

  /// Tokens to logits.
  public let decoder: DecoderModel

  /// Text to tokens, and back.
  public let tokenizer: Tokenizer

  /// A model of a GGUF file, or of a folder in Hugging Face's layout.
  ///
  /// - Parameters: those of ``DecoderModel/init(path:weights:context:on:)``.
  /// - Throws: ``ModelError`` where weights or tokenizer cannot be read, or are not of one model.
  public init(
    path: String, weights: WeightType = .bfloat16, context: Int? = nil, on workers: WorkerPool = .shared
  ) throws(ModelError) {
    var isFolder: ObjCBool = false
    let tokenizer: Tokenizer, decoder: DecoderModel
    if FileManager.default.fileExists(atPath: path, isDirectory: &isFolder), !isFolder.boolValue {
      let file = try openedGGUF(path)
      // The tokenizer first: it is read in no time, and a file without one need not be read further.
      tokenizer = try Tokenizer(gguf: file)
      decoder = try DecoderModel(gguf: file, path: path, weights: weights, context: context, on: workers)
    } else {
      // A folder that does not exist is the decoder's to refuse.
      decoder = try DecoderModel(path: path, weights: weights, context: context, on: workers)
      tokenizer = try Tokenizer(folder: path)
    }
    try self.init(decoder, tokenizer, path: path)
  }

  /// A model of parts.
  ///
  /// - Parameters:
  ///   - decoder: the weights.
  ///   - tokenizer: the vocabulary that the decoder was trained with.
  ///   - path: what errors call it.
  /// - Throws: ``ModelError`` where the tokenizer has tokens that the decoder has no weights for, special ones excepted, or the decoder has
  ///   weights for many more than padding explains.
  public init(_ decoder: DecoderModel, _ tokenizer: Tokenizer, path: String) throws(ModelError) {
    let vocabulary = decoder.configuration.vocabulary
    // Models of text are trained without the tokens of images that their tokenizers know.
    let beyond = vocabulary..<max(vocabulary, tokenizer.count)
    let padding = max(64, tokenizer.count / 16)
    guard beyond.count <= 64, beyond.allSatisfy(tokenizer.isSpecial), vocabulary - tokenizer.count <= padding
    else {
      throw ModelError(
        path,
        "a tokenizer of \(tokenizer.count) tokens given, expected one that matches the weights of \(vocabulary)"
      )
    }
    (self.path, self.decoder, self.tokenizer) = (path, decoder, tokenizer)
  }

  /// The tokens of a prompt.
  ///
  /// - Parameters:
  ///   - text: of any length; an empty one becomes the token that begins a text, where the model has one.
  ///   - addingSpecialTokens: whether the tokens are added that the model's files want around a text.
  /// - Throws: ``ModelError`` where there is not a single token.
  public func tokens(of text: String, addingSpecialTokens: Bool = true) throws(ModelError) -> [Int] {
    let tokens = tokenizer.encode(text, addingSpecialTokens: addingSpecialTokens)
    if !tokens.isEmpty { return tokens }
    guard addingSpecialTokens, let begin = tokenizer.begin else {
      throw ModelError("prompt", "empty, expected at least one token")
    }
    return [begin]
  }
}

/// Runs `body`; its errors name the argument that was refused.
func asModelError<Result>(_ body: () throws(AttentionError) -> Result) throws(ModelError) -> Result {
  do {
    return try body()
  } catch {
    throw ModelError(error.argument, error.reason)
  }
}
