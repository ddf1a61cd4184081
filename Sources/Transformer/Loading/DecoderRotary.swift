import Attention

/// The rotary embeddings of a decoder: of layers that see everything, and of those with a window.
struct DecoderRotary {
  let wide: RotaryEmbedding
  let windowed: RotaryEmbedding

  init(
    _ configuration: DecoderConfiguration, _ source: some WeightSource, positions: Int, on pool: WorkerPool
  ) throws(ModelError) {
    func embedding(_ base: Double, _ scaling: RotaryScaling) throws(ModelError) -> RotaryEmbedding {
      try modelError(source.path) { () throws(AttentionError) in
        try RotaryEmbedding(
          headDimension: configuration.headDimension, positions: positions, base: base,
          pairs: .init(configuration.rotaryLayout), scaling: scaling, on: pool)
      }
    }
    var scaling = configuration.rotaryScaling
    // Llama 3's GGUF files give the stretched frequencies as divisors.
    if source.shape(of: "rope_freqs.weight") != nil {
      let divisors = try source.vector("rope_freqs.weight", width: configuration.headDimension / 2)
      scaling = .divisors(divisors.elements.map(Double.init))
    }
    wide = try embedding(configuration.rotaryBase, scaling)
    windowed =
      try configuration.windowRotaryBase.map { (base) throws(ModelError) in
        try embedding(base, .none)
      } ?? wide
  }
}
