import Foundation
import TensorFiles
import Tensors
import TestSupport
import Transformer

extension TinyBERT {
  /// The fields of `config.json`.
  var configuration: [String: Any] {
    [
      "model_type": "bert", "num_hidden_layers": layers, "hidden_size": width, "intermediate_size": inner,
      "num_attention_heads": heads, "vocab_size": Self.tokens.count, "max_position_embeddings": positions,
      "type_vocab_size": 2, "layer_norm_eps": normEpsilon, "hidden_act": activation,
      "position_embedding_type": "absolute",
    ]
  }

  /// A folder in Hugging Face's layout.
  ///
  /// - Parameters:
  ///   - name: how a tensor is called in the file.
  ///   - changes: fields of `config.json` in place of its own; NSNull takes one out.
  ///   - files: more files, such as those of sentence-transformers.
  func folder(
    named name: (String) -> String = { $0 }, changes: [String: Any] = [:], files: [String: String] = [:]
  ) throws -> TemporaryDirectory {
    let directory = try TemporaryDirectory(files)
    let fields = configuration.merging(changes) { $1 }.filter { !($0.value is NSNull) }
    try directory.write([UInt8](JSONSerialization.data(withJSONObject: fields)), to: "config.json")
    var writer = SafetensorsWriter()
    for (key, tensor) in tensors { try writer.add(name(key), tensor) }
    try writer.write(to: directory.file("model.safetensors"))
    if files["tokenizer.json"] == nil {
      try directory.write(Array(Self.tokenizer.utf8), to: "tokenizer.json")
    }
    return directory
  }

  /// A WordPiece tokenizer of ``tokens`` that puts `[CLS]` and `[SEP]` around a text.
  static var tokenizer: String {
    let vocabulary = tokens.enumerated().map { "\"\($1)\": \($0)" }.joined(separator: ", ")
    let added = tokens.prefix(4).enumerated().map {
      #"{"id": \#($0), "content": "\#($1)", "single_word": false, "lstrip": false, "rstrip": false, "normalized": false, "special": true}"#
    }.joined(separator: ", ")
    return #"""
      {"version": "1.0", "truncation": null, "padding": null, "added_tokens": [\#(added)],
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

  /// `modules.json` and the files that it names.
  static func modules(
    pooling: String = #"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": false}"#,
    normalizes: Bool = true, longest: Int? = nil
  ) -> [String: String] {
    let types = ["Transformer", "Pooling"] + (normalizes ? ["Normalize"] : [])
    let paths = ["", "1_Pooling", "2_Normalize"]
    let list = zip(types, paths).map {
      #"{"idx": 0, "name": "0", "path": "\#($1)", "type": "sentence_transformers.models.\#($0)"}"#
    }
    var files = ["modules.json": "[\(list.joined(separator: ", "))]", "1_Pooling/config.json": pooling]
    if let longest { files["sentence_bert_config.json"] = #"{"max_seq_length": \#(longest)}"# }
    return files
  }

  /// The same model as a GGUF file.
  func gguf(
    _ change: (inout [String: EncoderGGUF.Value], inout [String: Tensor<Float>]) -> Void = { _, _ in }
  ) -> [UInt8] {
    var metadata: [String: EncoderGGUF.Value] = [
      "general.architecture": .text("bert"), "bert.block_count": .integer(layers),
      "bert.embedding_length": .integer(width), "bert.feed_forward_length": .integer(inner),
      "bert.attention.head_count": .integer(heads), "bert.context_length": .integer(positions),
      "bert.attention.layer_norm_epsilon": .number(Float(normEpsilon)),
      "tokenizer.ggml.model": .text("bert"),
      // In these files words begin with U+2581 and pieces within a word have no mark.
      "tokenizer.ggml.tokens": .texts(
        Self.tokens.map {
          $0.hasPrefix("##") ? String($0.dropFirst(2)) : $0.hasPrefix("[") ? $0 : "\u{2581}" + $0
        }),
      "tokenizer.ggml.token_type": .integers(Self.tokens.map { $0.hasPrefix("[") ? 3 : 1 }),
      "tokenizer.ggml.unknown_token_id": .integer(1), "tokenizer.ggml.cls_token_id": .integer(2),
      "tokenizer.ggml.bos_token_id": .integer(2), "tokenizer.ggml.seperator_token_id": .integer(3),
      "tokenizer.ggml.eos_token_id": .integer(3), "tokenizer.ggml.padding_token_id": .integer(0),
    ]
    var named: [String: Tensor<Float>] = [:]
    for (key, tensor) in tensors { named[Self.nameInGGUF(key)] = tensor }
    change(&metadata, &named)
    return EncoderGGUF.bytes(metadata, named)
  }

  private static func nameInGGUF(_ name: String) -> String {
    var result = name
    for (old, new) in [
      ("embeddings.word_embeddings", "token_embd"), ("embeddings.position_embeddings", "position_embd"),
      ("embeddings.token_type_embeddings", "token_types"), ("embeddings.LayerNorm", "token_embd_norm"),
      ("encoder.layer.", "blk."), ("attention.self.query", "attn_q"), ("attention.self.key", "attn_k"),
      ("attention.self.value", "attn_v"), ("attention.output.dense", "attn_output"),
      ("attention.output.LayerNorm", "attn_output_norm"), ("intermediate.dense", "ffn_up"),
      ("output.dense", "ffn_down"), ("output.LayerNorm", "layer_output_norm"),
    ] { result = result.replacing(old, with: new) }
    return result
  }
}

/// Writes GGUF files of Floats.
enum EncoderGGUF {
  enum Value {
    case text(String), integer(Int), number(Float), bool(Bool), texts([String]), integers([Int])
  }

  static func bytes(_ metadata: [String: Value], _ tensors: [String: Tensor<Float>]) -> [UInt8] {
    var head: [UInt8] = []
    func put(_ value: some FixedWidthInteger) { withUnsafeBytes(of: value.littleEndian) { head += $0 } }
    func put(_ text: String) {
      put(UInt64(text.utf8.count))
      head += text.utf8
    }
    head += "GGUF".utf8
    put(UInt32(3))
    put(UInt64(tensors.count))
    put(UInt64(metadata.count))
    for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
      put(key)
      switch value {
      case .text(let text): put(UInt32(8)); put(text)
      case .integer(let integer): put(UInt32(4)); put(UInt32(integer))
      case .number(let number): put(UInt32(6)); put(number.bitPattern)
      case .bool(let bool): put(UInt32(7)); put(UInt8(bool ? 1 : 0))
      case .texts(let texts):
        put(UInt32(9)); put(UInt32(8)); put(UInt64(texts.count))
        for text in texts { put(text) }
      case .integers(let integers):
        put(UInt32(9)); put(UInt32(5)); put(UInt64(integers.count))
        for integer in integers { put(Int32(integer)) }
      }
    }
    var data: [UInt8] = []
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      put(name)
      put(UInt32(tensor.rank))
      for length in tensor.shape.reversed() { put(UInt64(length)) }
      put(UInt32(0))
      put(UInt64(data.count))
      for number in tensor.elements { withUnsafeBytes(of: number) { data += $0 } }
      while data.count % 32 != 0 { data.append(0) }
    }
    while head.count % 32 != 0 { head.append(0) }
    return head + data
  }
}
