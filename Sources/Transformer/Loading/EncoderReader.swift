import Attention
import LinearAlgebra
import TensorFiles

/// Reads the parts of an encoder from where its weights are.
struct EncoderReader<Source: WeightSource> {
  let configuration: EncoderConfiguration
  let source: Source
  let names: EncoderNames
  let weights: WeightType
  let attend: ScaledDotProductAttention

  /// Throws where a tensor is missing or has another shape.
  func checkShapes() throws(ModelError) {
    let width = configuration.width
    try source.check(names.words + ".weight", [configuration.vocabulary, width])
    try source.check(names.positions + ".weight", [configuration.positions, width])
    try source.check(names.types + ".weight", [configuration.types, width])
    try checkNorm(names.embeddingNorm)
    for index in 0..<configuration.layers {
      let prefix = names.layer(index)
      for (name, outputs, inputs) in matrices {
        try source.check(prefix + name + ".weight", [outputs, inputs])
        try source.check(prefix + name + ".bias", [outputs])
      }
      try checkNorm(prefix + names.attentionNorm)
      try checkNorm(prefix + names.outputNorm)
    }
  }

  /// The matrices of a layer.
  private var matrices: [(name: String, outputs: Int, inputs: Int)] {
    let (width, inner) = (configuration.width, configuration.feedForwardWidth)
    return [names.queries, names.keys, names.values, names.output].map { ($0, width, width) }
      + [(names.up, inner, width), (names.down, width, inner)]
  }

  func embeddings() throws(ModelError) -> EncoderEmbeddings {
    let positions = try source.floats(names.positions + ".weight")
    let type = try source.floats(names.types + ".weight").sliced(axis: 0, 0..<1)
    let sum = try modelError(source.path) { () throws(AttentionError) in
      try positions + type
    }
    return EncoderEmbeddings(
      words: try source.rows(of: names.words + ".weight"), positions: sum.contiguous())
  }

  func layer(_ index: Int, inputNorm: Norm) throws(ModelError) -> EncoderLayer {
    let prefix = names.layer(index)
    let (width, inner) = (configuration.width, configuration.feedForwardWidth)
    func linear(_ parts: [String], outputs: Int, inputs: Int) throws(ModelError) -> Linear {
      try source.linear(parts.map { (prefix + $0, outputs) }, inputs: inputs, as: weights)
    }
    return EncoderLayer(
      inputNorm: inputNorm,
      attention: EncoderAttention(
        projection: try linear([names.queries, names.keys, names.values], outputs: width, inputs: width),
        output: try linear([names.output], outputs: width, inputs: width),
        heads: configuration.heads, attend: attend),
      attentionNorm: try norm(prefix + names.attentionNorm),
      feedForward: FeedForward(
        opening: .plain(try linear([names.up], outputs: inner, inputs: width)),
        activation: configuration.activation,
        down: try linear([names.down], outputs: width, inputs: inner)))
  }

  func norm(_ name: String) throws(ModelError) -> Norm {
    let parts = normNames(name)
    let weight = try source.vector(parts.weight, width: configuration.width)
    let bias = try source.vector(parts.bias, width: configuration.width)
    return try modelError(source.path) { () throws(AttentionError) in
      try .layer(weight: weight, bias: bias, epsilon: configuration.normEpsilon)
    }
  }

  private func checkNorm(_ name: String) throws(ModelError) {
    let parts = normNames(name)
    try source.check(parts.weight, [configuration.width])
    try source.check(parts.bias, [configuration.width])
  }

  /// Files that were converted from TensorFlow have its names.
  private func normNames(_ name: String) -> (weight: String, bias: String) {
    source.shape(of: name + ".gamma") == nil
      ? (name + ".weight", name + ".bias") : (name + ".gamma", name + ".beta")
  }
}
