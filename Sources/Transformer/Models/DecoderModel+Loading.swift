import Attention
import Foundation
import LinearAlgebra
import TensorFiles

extension DecoderModel {
  /// A model from a file or folder.
  ///
  /// - Parameters:
  ///   - path: a GGUF file, or a folder with `config.json` and safetensors.
  ///   - weights: what matrices are stored in; norms and biases stay Float.
  ///   - context: the most tokens of a sequence; the trained length, or 8192 where that is longer, when nil.
  ///   - workers: the threads that compute.
  /// - Throws: ``ModelError`` where the file cannot be read, its architecture is unknown, or a tensor is missing, has another shape or an
  ///   unsupported type; nothing is computed then.
  ///
  /// Each weight is read once and kept in one copy. Mapped pages of a GGUF file are let go as they are done with.
  public init(
    path: String, weights: WeightType = .bfloat16, context: Int? = nil, on workers: WorkerPool = .shared
  ) throws(ModelError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(path, "no such file or folder")
    }
    if isFolder.boolValue {
      let json = path + "/config.json"
      let configuration = try DecoderConfiguration(json: try contents(of: json), path: json)
      try self.init(
        configuration, SafetensorsWeights(folder: path),
        .huggingFace(normalisesResults: configuration.normalisesResults), weights, context, workers)
    } else {
      try self.init(gguf: try openedGGUF(path), path: path, weights: weights, context: context, on: workers)
    }
  }

  /// A model of a GGUF file that is open already.
  ///
  /// - Throws: ``ModelError``, as ``init(path:weights:context:on:)``.
  public init(
    gguf file: GGUFFile, path: String, weights: WeightType = .bfloat16, context: Int? = nil,
    on workers: WorkerPool = .shared
  ) throws(ModelError) {
    try self.init(
      DecoderConfiguration(file, path: path), GGUFWeights(file: file, path: path), .gguf, weights, context,
      workers)
  }

  private init(
    _ configuration: DecoderConfiguration, _ source: some WeightSource, _ names: DecoderNames,
    _ weights: WeightType, _ context: Int?, _ workers: WorkerPool
  ) throws(ModelError) {
    let context = context ?? min(configuration.contextLength, 8192)
    guard context >= 1 else { throw ModelError("context", "\(context) given, expected at least 1") }
    let (width, offset) = (configuration.width, configuration.normOffset)
    func norm(_ name: String, _ width: Int) throws(ModelError) -> Norm {
      let weight = try source.vector(name + ".weight", width: width, plus: offset)
      return try modelError(source.path) { () throws(AttentionError) in
        try .rms(weight: weight, epsilon: configuration.normEpsilon)
      }
    }
    // A file that does not fit is refused before anything is computed.
    try Self.check(configuration, source, names)
    let rotary = try DecoderRotary(configuration, source, positions: context, on: workers)
    let wide = try Self.attention(configuration, window: nil, on: workers)
    self.configuration = configuration
    self.weightType = weights
    self.context = context
    self.workers = workers
    let hasHead = source.shape(of: names.head + ".weight") != nil
    head = try source.linear(
      [(hasHead ? names.head : names.embedding, configuration.vocabulary)], inputs: width, as: weights)
    embedding = hasHead ? .file(try source.rows(of: names.embedding + ".weight")) : .head
    self.norm = try norm(names.finalNorm, width)
    var layers: [DecoderLayer] = []
    for index in 0..<configuration.layers {
      let prefix = names.layer(index)
      let (D, Hq, Hkv) = (
        configuration.headDimension, configuration.queryHeads, configuration.keyValueHeads
      )
      let window = configuration.windows[index]
      let attention = DecoderAttention(
        projection: try source.linear(
          [
            (prefix + names.queries, Hq * D), (prefix + names.keys, Hkv * D),
            (prefix + names.values, Hkv * D),
          ],
          inputs: width, as: weights),
        output: try source.linear([(prefix + names.output, width)], inputs: Hq * D, as: weights),
        queryHeads: Hq, keyValueHeads: Hkv, depth: D,
        queryNorm: configuration.normalisesHeads ? try norm(prefix + names.queryNorm, D) : nil,
        keyNorm: configuration.normalisesHeads ? try norm(prefix + names.keyNorm, D) : nil,
        rotary: window == nil ? rotary.wide : rotary.windowed,
        attend: window == nil ? wide : try Self.attention(configuration, window: window, on: workers))
      let inner = configuration.feedForwardWidth
      layers.append(
        DecoderLayer(
          attentionNorm: try norm(prefix + names.attentionNorm, width), attention: attention,
          postAttentionNorm: configuration.normalisesResults
            ? try norm(prefix + names.postAttentionNorm, width) : nil,
          feedForwardNorm: try norm(prefix + names.feedForwardNorm, width),
          feedForward: FeedForward(
            opening: .gated(
              try source.linear(
                [(prefix + names.gate, inner), (prefix + names.up, inner)], inputs: width, as: weights)),
            activation: configuration.activation,
            down: try source.linear([(prefix + names.down, width)], inputs: inner, as: weights)),
          postFeedForwardNorm: configuration.normalisesResults
            ? try norm(prefix + names.postFeedForwardNorm, width) : nil))
    }
    self.layers = layers
  }

  private static func attention(
    _ configuration: DecoderConfiguration, window: Int?, on workers: WorkerPool
  ) throws(ModelError) -> ScaledDotProductAttention {
    ScaledDotProductAttention(
      scale: configuration.scale,
      mask: window.map { .causal & .window(left: $0 - 1) } ?? .causal,
      options: AttentionOptions(softcap: configuration.attentionSoftcap), on: workers)
  }

  /// Throws where a tensor is missing, has another shape, or holds what is no weight.
  private static func check(
    _ configuration: DecoderConfiguration, _ source: some WeightSource, _ names: DecoderNames
  ) throws(ModelError) {
    let (width, inner, D) = (
      configuration.width, configuration.feedForwardWidth, configuration.headDimension
    )
    let queries = configuration.queryHeads * D, keys = configuration.keyValueHeads * D
    var shapes: [(String, Shape)] = [
      (names.embedding, [configuration.vocabulary, width]), (names.finalNorm, [width]),
    ]
    if !configuration.tiesEmbeddings || source.shape(of: names.head + ".weight") != nil {
      shapes.append((names.head, [configuration.vocabulary, width]))
    }
    for index in 0..<configuration.layers {
      let layer: [(String, Shape)] = [
        (names.attentionNorm, [width]), (names.queries, [queries, width]), (names.keys, [keys, width]),
        (names.values, [keys, width]), (names.output, [width, queries]), (names.feedForwardNorm, [width]),
        (names.gate, [inner, width]), (names.up, [inner, width]), (names.down, [width, inner]),
      ]
      shapes += layer.map { (names.layer(index) + $0.0, $0.1) }
      var optional: [(String, Int)] = []
      if configuration.normalisesHeads { optional += [(names.queryNorm, D), (names.keyNorm, D)] }
      if configuration.normalisesResults {
        optional += [(names.postAttentionNorm, width), (names.postFeedForwardNorm, width)]
      }
      shapes += optional.map { (names.layer(index) + $0.0, [$0.1]) }
    }
    for (name, shape) in shapes {
      try source.check(name + ".weight", shape)
      _ = try source.rows(of: name + ".weight")
    }
  }
}

/// Opens a GGUF file.
func openedGGUF(_ path: String) throws(ModelError) -> GGUFFile {
  do {
    return try GGUFFile(path: path)
  } catch {
    throw ModelError(error.path, error.reason)
  }
}

/// Runs `body`; its errors name a model.
func modelError<Result>(
  _ path: String, _ body: () throws(AttentionError) -> Result
) throws(ModelError) -> Result {
  do {
    return try body()
  } catch {
    throw ModelError(path, error.description)
  }
}
