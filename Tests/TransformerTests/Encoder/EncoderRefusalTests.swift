import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing
import Transformer

/// Files of models that do not fit together, or are no encoders: each is refused in one line that names what is wrong.
@Suite struct EncoderRefusalTests {
  @Test(
    arguments: [
      ("model_type", "llama", "model_type \"llama\" is no encoder that is known, expected bert"),
      ("model_type", nil, "no model_type"),
      ("num_hidden_layers", nil, "no num_hidden_layers"),
      ("num_hidden_layers", 0, "the number of layers is 0, expected 1 to 4096"),
      ("num_hidden_layers", 9, "no tensor \"encoder.layer.2.attention.self.query.weight\""),
      ("hidden_size", -12, "the width is -12, expected 1 to 1048576"),
      (
        "hidden_size", 24,
        "tensor \"embeddings.word_embeddings.weight\" has shape [14, 12], expected [14, 24]"
      ),
      ("hidden_size", "12", "\"hiddenSize\" is no Int"),
      ("intermediate_size", 1 << 40, "the feed-forward width is 1099511627776, expected 1 to 4194304"),
      ("num_attention_heads", 5, "5 heads share a width of 12, expected a divisor"),
      ("num_attention_heads", 0, "the number of heads is 0, expected 1 to 65536"),
      (
        "vocab_size", 13, "tensor \"embeddings.word_embeddings.weight\" has shape [14, 12], expected [13, 12]"
      ),
      (
        "max_position_embeddings", 17,
        "tensor \"embeddings.position_embeddings.weight\" has shape [16, 12], expected [17, 12]"
      ),
      (
        "type_vocab_size", 1,
        "tensor \"embeddings.token_type_embeddings.weight\" has shape [2, 12], expected [1, 12]"
      ),
      ("type_vocab_size", 0, "the number of token types is 0, expected 1 to 65536"),
      ("layer_norm_eps", -1, "the epsilon of norms is -1.0, expected a finite number of at least 0"),
      ("layer_norm_eps", 1e300, "the epsilon of norms is inf, expected a finite number of at least 0"),
      ("hidden_act", "relu", "hidden_act \"relu\", expected gelu, gelu_pytorch_tanh or silu"),
      (
        "position_embedding_type", "relative_key",
        "position_embedding_type \"relative_key\", expected absolute"
      ),
    ] as [(String, (any Sendable)?, String)])
  func refusesAConfiguration(field: String, value: (any Sendable)?, expected: String) throws {
    let folder = try TinyBERT().folder(changes: [field: value ?? NSNull()])
    let error = #expect(throws: ModelError.self, "\(field)") { _ = try EncoderModel(path: folder.path) }
    #expect(error?.description.hasSuffix(": \(expected)") == true, "\(field): \(error?.description ?? "")")
    #expect(error?.description.hasPrefix(folder.path) == true, "\(field): \(error?.description ?? "")")
  }

  @Test func refusesMissingAndMisshapenTensors() throws {
    let names = TinyBERT().tensors.keys.sorted()
    #expect(names.count == 37)
    for name in names {
      var missing = TinyBERT()
      missing.tensors[name] = nil
      expectRefusal(missing, "no tensor \"\(name)\"")
      var misshapen = TinyBERT()
      let tensor = try #require(misshapen.tensors[name])
      misshapen.tensors[name] = try Tensor.concatenate([tensor, tensor], axis: tensor.rank - 1)
      expectRefusal(misshapen, "tensor \"\(name)\" has shape ")
    }
  }

  private func expectRefusal(_ model: TinyBERT, _ expected: String) {
    let error = #expect(throws: ModelError.self, "\(expected)") {
      let folder = try model.folder()
      _ = try EncoderModel(path: folder.path)
    }
    #expect(error?.reason.hasPrefix(expected) == true, "\(error?.description ?? "")")
  }

  @Test func refusesTensorsWithoutFloatingPointNumbers() throws {
    let folder = try TinyBERT().folder()
    var writer = SafetensorsWriter()
    for (name, tensor) in TinyBERT().tensors {
      if name.hasSuffix("1.output.dense.weight") {
        try writer.add(name, tensor.converted(to: Int32.self))
      } else {
        try writer.add(name, tensor)
      }
    }
    try writer.write(to: folder.file("model.safetensors"))
    let error = #expect(throws: ModelError.self) { _ = try EncoderModel(path: folder.path) }
    #expect(error?.reason == "tensor \"encoder.layer.1.output.dense.weight\" holds no floating-point numbers")
  }

  @Test func refusesPathsThatLeadToNoModel() throws {
    let directory = try TemporaryDirectory(["text.gguf": "GG", "folder/config.json": "[]"])
    for (path, expected) in [
      ("none", "no such file or folder"), ("text.gguf", "too few for the head of a GGUF file"),
      ("folder", "config.json: "),
      ("", "/config.json: cannot read it"),
    ] {
      let error = #expect(throws: ModelError.self, "\(path)") {
        _ = try EncoderModel(path: directory.file(path))
      }
      #expect(error?.description.contains(expected) == true, "\(path): \(error?.description ?? "")")
    }
  }

  @Test(
    arguments: [
      (
        "general.architecture", .text("llama"),
        "architecture \"llama\" is no encoder that is known, expected bert"
      ),
      ("general.architecture", nil, "no general.architecture, which says what the model is"),
      ("bert.block_count", nil, "no integer under bert.block_count"),
      ("bert.block_count", .integer(3), "no tensor \"blk.2.attn_q.weight\""),
      ("bert.embedding_length", .text("12"), "no integer under bert.embedding_length"),
      ("bert.attention.layer_norm_epsilon", nil, "no number under bert.attention.layer_norm_epsilon"),
      (
        "bert.attention.layer_norm_epsilon", .number(.nan),
        "the epsilon of norms is nan, expected a finite number of at least 0"
      ),
      (
        "bert.attention.causal", .bool(true),
        "bert.attention.causal is true, expected false: tokens of an encoder see each other"
      ),
    ] as [(String, EncoderGGUF.Value?, String)])
  func refusesMetadataOfGGUF(key: String, value: EncoderGGUF.Value?, expected: String) throws {
    let bytes = TinyBERT().gguf { metadata, _ in metadata[key] = value }
    let file = try GGUFFile(bytes: bytes, name: "memory")
    let error = #expect(throws: ModelError.self, "\(key)") {
      _ = try EncoderModel(gguf: file, path: "memory")
    }
    #expect(error?.description == "memory: \(expected)", "\(key)")
  }

  @Test func refusesTensorsOfGGUF() throws {
    for name in [
      "token_embd.weight", "position_embd.weight", "token_types.weight", "token_embd_norm.bias",
      "blk.1.ffn_up.bias",
    ] {
      for (isMissing, expected) in [
        (true, "no tensor \"\(name)\""), (false, "tensor \"\(name)\" has shape [3]"),
      ] {
        let bytes = TinyBERT().gguf { _, tensors in
          tensors[name] = isMissing ? nil : Tensor(repeating: 1, shape: [3])
        }
        let file = try GGUFFile(bytes: bytes, name: "memory")
        let error = #expect(throws: ModelError.self, "\(name)") {
          _ = try EncoderModel(gguf: file, path: "memory")
        }
        #expect(error?.reason.hasPrefix(expected) == true, "\(error?.description ?? "")")
      }
    }
  }
}
