import Attention
import TensorFiles

extension DecoderConfiguration {
  /// What a GGUF file's metadata says.
  ///
  /// - Throws: ``ModelError`` where the architecture is none of ``Family``, a key is missing or of another type, or a size is impossible.
  public init(_ file: GGUFFile, path: String) throws(ModelError) {
    guard let architecture = file.string("general.architecture") else {
      throw ModelError(path, "no general.architecture, which says what the model is")
    }
    guard let family = Family(rawValue: architecture) else {
      let known = Family.allCases.map(\.rawValue).joined(separator: ", ")
      throw ModelError(path, "architecture \(quoted(architecture)), expected one of \(known)")
    }
    func integer(_ key: String) throws(ModelError) -> Int {
      guard let value = file.integer("\(architecture).\(key)") else {
        throw ModelError(path, "no integer under \(architecture).\(key)")
      }
      return value
    }
    func number(_ key: String) -> Double? { file.number("\(architecture).\(key)") }

    self.family = family
    layers = try integer("block_count")
    width = try integer("embedding_length")
    feedForwardWidth = try integer("feed_forward_length")
    queryHeads = try integer("attention.head_count")
    keyValueHeads = file.integer("\(architecture).attention.head_count_kv") ?? queryHeads
    headDimension =
      file.integer("\(architecture).attention.key_length") ?? (queryHeads > 0 ? width / queryHeads : 0)
    guard let embedding = file["token_embd.weight"], let rows = embedding.shape.first else {
      throw ModelError(path, "no tensor token_embd.weight")
    }
    vocabulary = rows
    contextLength = try integer("context_length")
    guard let epsilon = number("attention.layer_norm_rms_epsilon") else {
      throw ModelError(path, "no number under \(architecture).attention.layer_norm_rms_epsilon")
    }
    normEpsilon = Float(epsilon)
    rotaryBase = number("rope.freq_base") ?? 10_000
    windows = Array(repeating: nil, count: max(min(layers, 4096), 0))
    switch family {
    case .llama, .qwen2, .qwen3:
      activation = .silu
      // Files of Llamas have the rows of queries and keys reordered so that pairs are neighbours.
      rotaryLayout = family == .llama ? .interleaved : .halves
    case .gemma2, .gemma3:
      activation = .geluTanh
      rotaryLayout = .halves
      embeddingScale = Float(max(width, 0)).squareRoot()
      let window = try integer("attention.sliding_window")
      setGemmaWindows(window, pattern: family == .gemma2 ? 2 : 6)
      if family == .gemma2 {
        // Files from before these keys are of models that have the published caps.
        attentionSoftcap = number("attn_logit_softcapping") ?? 50
        logitSoftcap = number("final_logit_softcapping") ?? 30
      } else {
        windowRotaryBase = number("rope.freq_base_swa") ?? 10_000
      }
    }
    if let scaling = file.string("\(architecture).rope.scaling.type"), scaling != "none" {
      let factor = number("rope.scaling.factor") ?? 1
      switch scaling {
      case "linear": rotaryScaling = .linear(factor: factor)
      case "yarn":
        rotaryScaling = .yarn(
          factor: factor, trainedLength: try integer("rope.scaling.original_context_length"))
      default:
        throw ModelError(path, "rotary scaling \(quoted(scaling)), expected none, linear or yarn")
      }
    }
    setGemmaScale()
    self = try checked(path)
    if let dimension = file.integer("\(architecture).rope.dimension_count"), dimension != headDimension {
      throw ModelError(
        path,
        "\(architecture).rope.dimension_count is \(dimension), expected the head dimension \(headDimension)"
      )
    }
    if let values = file.integer("\(architecture).attention.value_length"), values != headDimension {
      throw ModelError(path, "values of \(values) columns, expected as many as keys, \(headDimension)")
    }
  }

  /// The two 27B models scale scores by the width of a head as if heads shared the model's width; files do not say so.
  private mutating func setGemmaScale() {
    switch (family, layers) {
    case (.gemma2, 46), (.gemma3, 62): scale = (Double(queryHeads) / Double(max(width, 1))).squareRoot()
    case (.llama, _), (.qwen2, _), (.qwen3, _), (.gemma2, _), (.gemma3, _): break
    }
  }

  /// A window on all layers but every `pattern`-th.
  mutating func setGemmaWindows(_ window: Int, pattern: Int) {
    windows = windows.indices.map { ($0 + 1).isMultiple(of: pattern) ? nil : window }
  }
}
