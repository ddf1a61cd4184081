import Attention
import Foundation
import LinearAlgebra
import TensorFiles

extension DecoderConfiguration {
  /// What a `config.json` in Hugging Face's layout says.
  ///
  /// - Parameters:
  ///   - json: the file's bytes.
  ///   - path: what errors call it.
  /// - Throws: ``ModelError`` where the model type is none of ``Family``, a field is missing or of another type, or a size is impossible.
  public init(json: Data, path: String) throws(ModelError) {
    let fields: HuggingFaceFields = try decoded(json, path: path)
    guard let type = fields.modelType else { throw ModelError(path, "no model_type") }
    switch type {
    case "llama", "mistral": family = .llama
    case "qwen2": family = .qwen2
    case "qwen3": family = .qwen3
    case "gemma2": family = .gemma2
    case "gemma3_text": family = .gemma3
    default:
      throw ModelError(
        path,
        "model_type \(quoted(type)), expected llama, mistral, qwen2, qwen3, gemma2, gemma3_text or bert")
    }
    func required<Value>(_ value: Value?, _ name: String) throws(ModelError) -> Value {
      guard let value else { throw ModelError(path, "no \(name)") }
      return value
    }
    layers = try required(fields.numHiddenLayers, "num_hidden_layers")
    width = try required(fields.hiddenSize, "hidden_size")
    feedForwardWidth = try required(fields.intermediateSize, "intermediate_size")
    queryHeads = try required(fields.numAttentionHeads, "num_attention_heads")
    keyValueHeads = fields.numKeyValueHeads ?? queryHeads
    headDimension = fields.headDim ?? (queryHeads > 0 ? width / queryHeads : 0)
    vocabulary = try required(fields.vocabSize, "vocab_size")
    contextLength = try required(fields.maxPositionEmbeddings, "max_position_embeddings")
    normEpsilon = Float(fields.rmsNormEps ?? 1e-6)
    // Newer files have rotary settings for each kind of layer.
    let rope = fields.ropeParameters?.fullAttention ?? fields.ropeParameters?.shared
    if fields.ropeParameters != nil, rope?.ropeTheta == nil, fields.ropeTheta == nil {
      throw ModelError(path, "rope_parameters without rope_theta")
    }
    rotaryBase = fields.ropeTheta ?? rope?.ropeTheta ?? 10_000
    tiesEmbeddings = fields.tieWordEmbeddings ?? (type.hasPrefix("gemma"))
    rotaryLayout = .halves
    windows = Array(repeating: nil, count: max(min(layers, 4096), 0))
    activation = try Self.activation(fields.hiddenActivation ?? fields.hiddenAct ?? "silu", path)
    switch family {
    case .llama:
      if type == "mistral", let window = fields.slidingWindow { windows = windows.map { _ in window } }
    case .qwen2, .qwen3:
      if fields.useSlidingWindow == true, let window = fields.slidingWindow {
        let first = fields.maxWindowLayers ?? 0
        windows = windows.indices.map { $0 < first ? nil : window }
      }
    case .gemma2, .gemma3:
      embeddingScale = Float(max(width, 0)).squareRoot()
      normOffset = 1
      let window = try required(fields.slidingWindow, "sliding_window")
      setGemmaWindows(window, pattern: family == .gemma2 ? 2 : fields.slidingWindowPattern ?? 6)
      if let scalar = fields.queryPreAttnScalar, scalar > 0 { scale = 1 / scalar.squareRoot() }
      if family == .gemma2 {
        attentionSoftcap = fields.attnLogitSoftcapping
        logitSoftcap = fields.finalLogitSoftcapping
      } else {
        windowRotaryBase =
          fields.ropeLocalBaseFreq ?? fields.ropeParameters?.slidingAttention?.ropeTheta ?? 10_000
      }
    }
    if let types = fields.layerTypes, family != .llama {
      guard types.count == layers else {
        throw ModelError(path, "layer_types of \(types.count) layers, expected \(layers)")
      }
      let window = fields.slidingWindow
      windows = try types.map { (kind) throws(ModelError) in
        switch kind {
        case "full_attention": return nil
        case "sliding_attention": return try required(window, "sliding_window")
        default:
          throw ModelError(
            path, "a layer of type \(quoted(kind)), expected full_attention or sliding_attention")
        }
      }
    }
    rotaryScaling = try Self.scaling(fields.ropeScaling ?? rope, contextLength, path)
    self = try checked(path)
  }

  private static func activation(_ name: String, _ path: String) throws(ModelError) -> Activation {
    switch name {
    case "silu", "swish": return .silu
    case "gelu": return .gelu
    case "gelu_pytorch_tanh", "gelu_new": return .geluTanh
    default:
      throw ModelError(path, "activation \(quoted(name)), expected silu, gelu or gelu_pytorch_tanh")
    }
  }

  private static func scaling(
    _ rope: HuggingFaceFields.Rope?, _ contextLength: Int, _ path: String
  ) throws(ModelError) -> RotaryScaling {
    guard let rope, let type = rope.ropeType ?? rope.type else { return .none }
    let factor = rope.factor ?? 1
    switch type {
    case "default": return .none
    case "linear": return .linear(factor: factor)
    case "llama3":
      return .llama3(
        factor: factor, lowFrequencyFactor: rope.lowFreqFactor ?? 1,
        highFrequencyFactor: rope.highFreqFactor ?? 4,
        trainedLength: rope.originalMaxPositionEmbeddings ?? 8192)
    case "yarn":
      return .yarn(
        factor: factor, trainedLength: rope.originalMaxPositionEmbeddings ?? contextLength,
        betaFast: rope.betaFast ?? 32, betaSlow: rope.betaSlow ?? 1, attentionFactor: rope.attentionFactor)
    default:
      throw ModelError(
        path, "rotary scaling \(quoted(type)), expected default, linear, llama3 or yarn")
    }
  }
}

/// The fields of `config.json` that a model is built from; all may be missing.
struct HuggingFaceFields: Decodable {
  var modelType: String?
  var numHiddenLayers, hiddenSize, intermediateSize, numAttentionHeads, numKeyValueHeads, headDim: Int?
  var vocabSize, maxPositionEmbeddings, slidingWindow, maxWindowLayers, slidingWindowPattern: Int?
  var typeVocabSize: Int?
  var useSlidingWindow, tieWordEmbeddings: Bool?
  var rmsNormEps, layerNormEps, ropeTheta, ropeLocalBaseFreq, queryPreAttnScalar: Double?
  var attnLogitSoftcapping, finalLogitSoftcapping: Double?
  var hiddenAct, hiddenActivation, positionEmbeddingType: String?
  var layerTypes: [String]?
  var ropeScaling: Rope?
  var ropeParameters: RopeParameters?

  /// The settings of all layers, or of each kind of layer.
  struct RopeParameters: Decodable {
    let shared: Rope
    let fullAttention, slidingAttention: Rope?

    private enum Keys: String, CodingKey { case fullAttention, slidingAttention }

    init(from decoder: any Swift.Decoder) throws {
      shared = try Rope(from: decoder)
      let kinds = try decoder.container(keyedBy: Keys.self)
      fullAttention = try kinds.decodeIfPresent(Rope.self, forKey: .fullAttention)
      slidingAttention = try kinds.decodeIfPresent(Rope.self, forKey: .slidingAttention)
    }
  }

  struct Rope: Decodable {
    var type, ropeType: String?
    var ropeTheta, factor, lowFreqFactor, highFreqFactor, betaFast, betaSlow, attentionFactor: Double?
    var originalMaxPositionEmbeddings: Int?
  }
}

/// Decodes JSON whose keys are in snake case; errors in one line.
func decoded<Value: Decodable>(_ json: Data, path: String) throws(ModelError) -> Value {
  let decoder = JSONDecoder()
  decoder.keyDecodingStrategy = .convertFromSnakeCase
  do {
    return try decoder.decode(Value.self, from: json)
  } catch let error as DecodingError {
    throw ModelError(path, error.reason)
  } catch {
    throw ModelError(path, "no JSON")
  }
}

extension DecodingError {
  /// What is wrong and where, in a few words.
  fileprivate var reason: String {
    func place(_ context: Context) -> String {
      context.codingPath.map(\.stringValue).joined(separator: ".")
    }
    switch self {
    case .typeMismatch(let type, let context): return "\(quoted(place(context))) is no \(type)"
    case .valueNotFound(let type, let context): return "\(quoted(place(context))) is null, expected \(type)"
    case .keyNotFound(let key, _): return "no \(quoted(key.stringValue))"
    case .dataCorrupted(let context):
      let place = place(context)
      return place.isEmpty ? "no JSON" : "\(quoted(place)) is out of range"
    @unknown default: return "no JSON of the expected form"
    }
  }
}
