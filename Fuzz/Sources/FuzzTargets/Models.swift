import Attention
import Foundation
import TensorFiles
import Transformer

extension FuzzTarget {
  /// A `config.json`: a decoder beside tiny weights that most of the corpus fits, and an encoder's.
  static let configurations = FuzzTarget("configurations") { bytes throws(FuzzFault) in
    let encoder = try attempt { _ = try EncoderConfiguration(json: Data(bytes), path: "config.json") }
    let decoder = try attempt {
      _ = try DecoderConfiguration(json: Data(bytes), path: "config.json")
      try Data(bytes).write(to: URL(fileURLWithPath: TinyModel.folder + "/config.json"))
      try exercise(DecoderModel(path: TinyModel.folder, context: 8))
    }
    return encoder == .answered ? encoder : decoder
  }
}

/// Reads three tokens with a model, and computes the logits after the last.
func exercise(_ model: DecoderModel) throws {
  let pool = try model.makePool(pageSize: 2, pages: 4)
  let tokens = [0, 1, 0].map { min($0, model.configuration.vocabulary - 1) }
  let step = try KeyValueStep([pool.makeSequence()], appending: [tokens])
  let states = try model.states([tokens], step)
  try step.commit()
  let logits = try model.logits(of: states, rows: [tokens.count - 1])
  try require(
    logits.shape == [1, model.configuration.vocabulary],
    "logits \(logits.shape) of \(model.configuration.vocabulary) tokens")
}

/// The weights of a decoder of one layer, in a folder of this process.
private enum TinyModel {
  /// `config.json` is added by whoever needs one.
  static let folder: String = {
    let shared = FileManager.default.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory()
    let path = "\(shared)/fuzz-model-\(ProcessInfo.processInfo.processIdentifier)"
    do {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try weights().write(to: path + "/model.safetensors")
    } catch {
      preconditionFailure("cannot write the tiny model to \(path): \(error)")
    }
    atexit { try? FileManager.default.removeItem(atPath: TinyModel.folder) }
    return path
  }()

  /// Of width 8, two query heads over one key/value head of width 4, an inner width of 8, and 5 tokens; the norms of all families.
  private static func weights() throws -> SafetensorsWriter {
    var writer = SafetensorsWriter()
    func add(_ name: String, _ shape: Shape) throws {
      let count = shape.reduce(1, *)
      try writer.add(
        name + ".weight",
        Tensor((0..<count).map { Float(($0 * 37 + name.utf8.count) % 17) / 16 - 0.5 }, shape: shape))
    }
    let layer = "model.layers.0."
    for name in [
      "input_layernorm", "post_attention_layernorm", "pre_feedforward_layernorm",
      "post_feedforward_layernorm",
    ] {
      try add(layer + name, [8])
    }
    try add("model.embed_tokens", [5, 8])
    try add("model.norm", [8])
    try add(layer + "self_attn.q_proj", [8, 8])
    try add(layer + "self_attn.k_proj", [4, 8])
    try add(layer + "self_attn.v_proj", [4, 8])
    try add(layer + "self_attn.o_proj", [8, 8])
    try add(layer + "self_attn.q_norm", [4])
    try add(layer + "self_attn.k_norm", [4])
    try add(layer + "mlp.gate_proj", [8, 8])
    try add(layer + "mlp.up_proj", [8, 8])
    try add(layer + "mlp.down_proj", [8, 8])
    return writer
  }
}
