import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// A folder with a small sentence encoder of random weights.
struct EmbedModel {
  static let width = 8
  static let tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "red", "green", "blue", "car", "tree", "##s"]

  let directory: TemporaryDirectory

  /// - Parameters:
  ///   - longest: the most tokens of a text.
  ///   - change: of the tensors.
  init(longest: Int = 12, _ change: (inout [String: Tensor<Float>]) -> Void = { _ in }) throws {
    directory = try TemporaryDirectory([
      "config.json": """
      {"model_type": "bert", "num_hidden_layers": 1, "hidden_size": \(Self.width), "intermediate_size": 10,
       "num_attention_heads": 2, "vocab_size": \(Self.tokens.count), "max_position_embeddings": 16}
      """,
      "modules.json": """
      [{"type": "sentence_transformers.models.Transformer", "path": ""},
       {"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"},
       {"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}]
      """,
      "1_Pooling/config.json": #"{"pooling_mode_mean_tokens": true}"#,
      "sentence_bert_config.json": #"{"max_seq_length": \#(longest)}"#,
      "tokenizer.json": Self.tokenizer,
    ])
    var tensors: [String: Tensor<Float>] = [:]
    var seed: UInt64 = 0
    func add(_ name: String, _ shape: Shape) {
      seed += 1
      tensors[name] = .normal(shape, seed: seed)
    }
    func pair(_ name: String, _ outputs: Int, _ inputs: Int? = nil) {
      add(name + ".weight", inputs.map { [outputs, $0] } ?? [outputs])
      add(name + ".bias", [outputs])
    }
    add("embeddings.word_embeddings.weight", [Self.tokens.count, Self.width])
    add("embeddings.position_embeddings.weight", [16, Self.width])
    add("embeddings.token_type_embeddings.weight", [2, Self.width])
    pair("embeddings.LayerNorm", Self.width)
    for name in [
      "attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense",
    ] {
      pair("encoder.layer.0." + name, Self.width, Self.width)
    }
    pair("encoder.layer.0.attention.output.LayerNorm", Self.width)
    pair("encoder.layer.0.intermediate.dense", 10, Self.width)
    pair("encoder.layer.0.output.dense", Self.width, 10)
    pair("encoder.layer.0.output.LayerNorm", Self.width)
    change(&tensors)
    var writer = SafetensorsWriter()
    for (name, tensor) in tensors { try writer.add(name, tensor) }
    try writer.write(to: directory.file("model.safetensors"))
  }

  private static var tokenizer: String {
    let vocabulary = tokens.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
    let added = tokens.prefix(4).enumerated().map {
      #"{"id": \#($0), "content": "\#($1)", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}"#
    }.joined(separator: ", ")
    return #"""
      {"version": "1.0", "added_tokens": [\#(added)],
       "normalizer": {"type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": true, "strip_accents": null, "lowercase": true},
       "pre_tokenizer": {"type": "BertPreTokenizer"},
       "post_processor": {"type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "[CLS]", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "[SEP]", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"[CLS]": {"id": "[CLS]", "ids": [2], "tokens": ["[CLS]"]}, "[SEP]": {"id": "[SEP]", "ids": [3], "tokens": ["[SEP]"]}}},
       "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
       "model": {"type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": {\#(vocabulary)}}}
      """#
  }

  /// Runs `attention embed` on the model.
  ///
  /// - Parameter input: what standard input holds.
  func run(_ arguments: [String], input: [UInt8] = []) throws -> CommandResult {
    try Self.run([directory.path] + arguments, input: input)
  }

  static func run(_ arguments: [String], input: [UInt8] = []) throws -> CommandResult {
    let process = try attentionProcess(["embed"] + arguments)
    let (output, errors) = (try TemporaryFile(), try TemporaryFile())
    let source = try TemporaryDirectory()
    process.standardInput = try FileHandle(
      forReadingFrom: URL(fileURLWithPath: source.write(input, to: "input")))
    process.standardOutput = output.handle
    process.standardError = errors.handle
    try process.run()
    process.waitUntilExit()
    return CommandResult(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      standardOutput: try output.text(), standardError: try errors.text())
  }
}

/// A line of `--format jsonl`.
struct EmbeddedText: Decodable {
  let text: String
  let embedding: [Float]

  static func all(_ lines: String) throws -> [EmbeddedText] {
    try lines.split(separator: "\n").map { try JSONDecoder().decode(EmbeddedText.self, from: Data($0.utf8)) }
  }
}
