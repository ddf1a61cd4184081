import Attention
import Foundation
import TensorFiles

extension Llama {
  /// The model that lies in the repository: the one that `attention generate` takes where none is named.
  package static let modelFolder = URL(filePath: #filePath)
    .appending(path: "../../../../../Sources/AttentionCommand/TinyLlama").standardizedFileURL

  /// The model of a folder in Hugging Face's layout: `config.json` and `model.safetensors`.
  ///
  /// Weights become Float, whatever the file holds. Those of queries, keys and values are put side by side, so that they take one matrix
  /// product.
  package init(folder: URL) throws {
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let configuration = try decoder.decode(
      Configuration.self, from: Data(contentsOf: folder.appending(path: "config.json")))
    let file = try SafetensorsFile(path: folder.appending(path: "model.safetensors").path())

    func weight(_ name: String) throws -> Tensor<Float> {
      try file.tensor("model.\(name).weight", convertedTo: Float.self)
    }
    // The file has the weights as PyTorch's nn.Linear does: [outputs, inputs].
    func linear(_ name: String) throws -> Projection<Float> { try Projection(transposed: weight(name)) }
    func norm(_ name: String) throws -> RMSNorm {
      RMSNorm(weight: try weight(name), epsilon: configuration.rmsNormEps)
    }

    self.configuration = configuration
    embedding = try weight("embed_tokens")
    head = try Projection(transposed: embedding)
    self.norm = try norm("norm")
    rotary = try RotaryEmbedding(
      headDimension: configuration.headDim, positions: configuration.maxPositionEmbeddings,
      base: configuration.ropeParameters.ropeTheta)
    layers = try (0..<configuration.numHiddenLayers).map { index in
      let layer = "layers.\(index)."
      return Layer(
        attentionNorm: try norm(layer + "input_layernorm"),
        attention: try MultiHeadAttention(
          queryHeads: configuration.numAttentionHeads, keyValueHeads: configuration.numKeyValueHeads,
          queries: linear(layer + "self_attn.q_proj"), keys: linear(layer + "self_attn.k_proj"),
          values: linear(layer + "self_attn.v_proj"), output: linear(layer + "self_attn.o_proj")
        ).fused(),
        feedForwardNorm: try norm(layer + "post_attention_layernorm"),
        feedForward: FeedForward(
          gate: try linear(layer + "mlp.gate_proj"), up: try linear(layer + "mlp.up_proj"),
          down: try linear(layer + "mlp.down_proj")))
    }
  }
}
