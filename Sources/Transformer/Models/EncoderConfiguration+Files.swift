import Foundation
import LinearAlgebra
import TensorFiles

extension EncoderConfiguration {
  /// What a `config.json` in Hugging Face's layout says.
  ///
  /// - Parameters:
  ///   - json: the file's bytes.
  ///   - path: what errors call it.
  /// - Throws: ``ModelError`` where the model type is not `bert`, a field is missing or of another type, positions are not absolute, or a
  ///   size is impossible.
  public init(json: Data, path: String) throws(ModelError) {
    let fields: HuggingFaceFields = try decoded(json, path: path)
    guard let type = fields.modelType else { throw ModelError(path, "no model_type") }
    guard type == "bert" else {
      throw ModelError(path, "model_type \(quoted(type)) is no encoder that is known, expected bert")
    }
    func required(_ value: Int?, _ name: String) throws(ModelError) -> Int {
      guard let value else { throw ModelError(path, "no \(name)") }
      return value
    }
    if let positions = fields.positionEmbeddingType, positions != "absolute" {
      throw ModelError(path, "position_embedding_type \(quoted(positions)), expected absolute")
    }
    layers = try required(fields.numHiddenLayers, "num_hidden_layers")
    width = try required(fields.hiddenSize, "hidden_size")
    feedForwardWidth = try required(fields.intermediateSize, "intermediate_size")
    heads = try required(fields.numAttentionHeads, "num_attention_heads")
    vocabulary = try required(fields.vocabSize, "vocab_size")
    positions = try required(fields.maxPositionEmbeddings, "max_position_embeddings")
    types = fields.typeVocabSize ?? 2
    normEpsilon = Float(fields.layerNormEps ?? 1e-12)
    switch fields.hiddenAct ?? "gelu" {
    case "gelu", "gelu_python": activation = .gelu
    case "gelu_new", "gelu_pytorch_tanh": activation = .geluTanh
    case "silu", "swish": activation = .silu
    case let other:
      throw ModelError(path, "hidden_act \(quoted(other)), expected gelu, gelu_pytorch_tanh or silu")
    }
    self = try checked(path)
  }

  /// What a GGUF file's metadata says; the activation, which such files do not name, is the exact GELU of BERT.
  ///
  /// - Throws: ``ModelError`` where the architecture is not `bert`, a key is missing or of another type, attention is causal, or a size is
  ///   impossible.
  public init(_ file: GGUFFile, path: String) throws(ModelError) {
    guard let architecture = file.string("general.architecture") else {
      throw ModelError(path, "no general.architecture, which says what the model is")
    }
    guard architecture == "bert" else {
      throw ModelError(
        path, "architecture \(quoted(architecture)) is no encoder that is known, expected bert")
    }
    func integer(_ key: String) throws(ModelError) -> Int {
      guard let value = file.integer(key) else { throw ModelError(path, "no integer under \(key)") }
      return value
    }
    func rows(_ name: String) throws(ModelError) -> Int {
      guard let entry = file[name] else { throw ModelError(path, "no tensor \(quoted(name))") }
      guard entry.shape.count == 2 else {
        throw ModelError(path, "tensor \(quoted(name)) has shape \(entry.shape), expected two axes")
      }
      return entry.shape[0]
    }
    if file.boolean("bert.attention.causal") == true {
      throw ModelError(
        path, "bert.attention.causal is true, expected false: tokens of an encoder see each other")
    }
    guard let epsilon = file.number("bert.attention.layer_norm_epsilon") else {
      throw ModelError(path, "no number under bert.attention.layer_norm_epsilon")
    }
    layers = try integer("bert.block_count")
    width = try integer("bert.embedding_length")
    feedForwardWidth = try integer("bert.feed_forward_length")
    heads = try integer("bert.attention.head_count")
    vocabulary = try rows("token_embd.weight")
    positions = try rows("position_embd.weight")
    types = try rows("token_types.weight")
    normEpsilon = Float(epsilon)
    activation = .gelu
    self = try checked(path)
  }
}
