import Attention

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// The rotary embeddings of a model: of layers that see everything, and of those with a window.
struct RotaryTablesOfModel {
  let wide: RotaryEmbedding
  let windowed: RotaryEmbedding

  init(
    _ configuration: DecoderConfiguration, _ source: some WeightSource, positions: Int, on pool: WorkerPool
  ) throws(ModelError) {
    let (depth, layout) = (configuration.headDimension, configuration.rotaryLayout)
    func embedding(_ base: Double, _ scaling: RotaryScaling) throws(ModelError) -> RotaryEmbedding {
      try modelError(source.path) { () throws(AttentionError) in
        try RotaryEmbedding(
          headDimension: depth, positions: positions, base: base, pairs: .init(layout), scaling: scaling,
          on: pool)
      }
    }
    // Llama 3's files give the stretched frequencies as divisors.
    if source.shape(of: "rope_freqs.weight") != nil {
      let divisors = try source.vector("rope_freqs.weight", width: depth / 2).elements
      wide = try Self.embedding(configuration, source.path, positions, divisors)
    } else {
      wide = try embedding(configuration.rotaryBase, configuration.rotaryScaling)
    }
    windowed =
      try configuration.windowRotaryBase.map { (base) throws(ModelError) in
        try embedding(base, .none)
      } ?? wide
  }

  private static func embedding(
    _ configuration: DecoderConfiguration, _ path: String, _ positions: Int, _ divisors: [Float]
  ) throws(ModelError) -> RotaryEmbedding {
    guard divisors.allSatisfy({ $0.isFinite && $0 > 0 }) else {
      throw ModelError(path, "tensor \"rope_freqs.weight\" has a divisor that is not a positive number")
    }
    let pairs = divisors.count
    let frequencies = divisors.enumerated().map { pair, divisor in
      pow(configuration.rotaryBase, -Double(pair) / Double(pairs)) / Double(divisor)
    }
    func table(_ function: (Double) -> Double) -> Tensor<Float> {
      Tensor(unsafeUninitializedShape: [positions, pairs]) { target in
        for index in target.indices {
          let angle = Double(index / pairs) * frequencies[index % pairs]
          target.initializeElement(at: index, to: Float(function(angle)))
        }
      }
    }
    return try modelError(path) { () throws(AttentionError) in
      try RotaryEmbedding(
        cosines: table { cos($0) }, sines: table { sin($0) }, headDimension: configuration.headDimension,
        layout: configuration.rotaryLayout)
    }
  }
}
