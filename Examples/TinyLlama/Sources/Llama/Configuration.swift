/// The sizes of a Llama, by their names in Hugging Face's `config.json`.
struct Configuration: Decodable {
  /// The width of a token between layers.
  let hiddenSize: Int
  let numHiddenLayers: Int
  /// `Hq`
  let numAttentionHeads: Int
  /// `Hkv`
  let numKeyValueHeads: Int
  /// `D`
  let headDim: Int
  let maxPositionEmbeddings: Int
  let rmsNormEps: Float
  let ropeParameters: Rope

  struct Rope: Decodable {
    let ropeTheta: Double
  }
}
