import Foundation
import TestSupport
import Testing
import Transformer

/// Files of sentence-transformers that ask for what is not supported, or contradict the model.
@Suite struct SentenceModulesTests {
  private static let transformer = #"{"type": "sentence_transformers.models.Transformer", "path": ""}"#
  private static let pooling = #"{"type": "sentence_transformers.models.Pooling", "path": "1_Pooling"}"#
  private static let normalize = #"{"type": "sentence_transformers.models.Normalize", "path": "2_Normalize"}"#

  @Test(arguments: [
    ("modules.json", "{}", "expected an array of modules"),
    ("modules.json", "[]", "expected an array of modules"),
    ("modules.json", "[1]", "module 0 has no type"),
    ("modules.json", "[", ""),
    ("modules.json", "[\(transformer)]", "no Pooling after the Transformer"),
    (
      "modules.json", "[\(pooling), \(transformer)]",
      "module 0 is a Pooling, expected Transformer, Pooling, Normalize in this order"
    ),
    (
      "modules.json", "[\(transformer), \(normalize)]",
      "module 1 is a Normalize, expected Transformer, Pooling, Normalize in this order"
    ),
    (
      "modules.json", "[\(transformer), \(pooling), \(normalize), \(normalize)]",
      "module 3 is a Normalize, expected Transformer, Pooling, Normalize in this order"
    ),
    (
      "modules.json",
      #"[\#(transformer), \#(pooling), {"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]"#,
      #"module 2 is a "sentence_transformers.models.Dense", supported are Transformer, Pooling, Normalize"#
    ),
    (
      "modules.json", #"[\#(transformer), {"type": "models.Pooling"}]"#, "module 1 has no path"
    ),
    (
      "modules.json", #"[\#(transformer), {"type": "models.Pooling", "path": ""}]"#,
      "the path of module 1 is empty, expected a folder of its own"
    ),
    (
      "modules.json", #"[\#(transformer), \#(pooling), {"type": "models.Normalize"}]"#, "module 2 has no path"
    ),
    (
      "modules.json", #"[{"type": "models.Transformer", "path": "../other"}]"#,
      "the path of module 0 leads out of the model's folder, expected a name in it"
    ),
    (
      "modules.json", #"[{"type": "models.Transformer", "path": "/etc"}]"#,
      "the path of module 0 leads out of the model's folder, expected a name in it"
    ),
    (
      "1_Pooling/config.json", #"{"pooling_mode_max_tokens": true}"#,
      #"pooling mode "max_tokens", expected mean or cls"#
    ),
    (
      "1_Pooling/config.json", #"{"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true}"#,
      #"pooling mode "mean_tokens" and "cls_token", expected mean or cls"#
    ),
    (
      "1_Pooling/config.json", #"{"pooling_mode_mean_tokens": false}"#,
      "pooling mode none, expected mean or cls"
    ),
    (
      "1_Pooling/config.json", #"{"pooling_mode": "lasttoken"}"#,
      #"pooling mode "lasttoken", expected mean or cls"#
    ),
    ("1_Pooling/config.json", "[]", "an array, expected an object"),
    (
      "1_Pooling/config.json", #"{"word_embedding_dimension": 384}"#,
      "pooling of 384 columns, but the encoder makes 12"
    ),
    (
      "1_Pooling/config.json", #"{"word_embedding_dimension": "12"}"#,
      "word_embedding_dimension is text and no integer"
    ),
    (
      "sentence_bert_config.json", #"{"max_seq_length": 2}"#,
      "texts of at most 2 tokens, expected more than the 2 special ones of every text"
    ),
    (
      "sentence_bert_config.json", #"{"max_seq_length": -5}"#,
      "texts of at most -5 tokens, expected more than the 2 special ones of every text"
    ),
    ("sentence_bert_config.json", #"{"max_seq_length": 2.5}"#, "max_seq_length is a number and no integer"),
    ("sentence_bert_config.json", #"{"do_lower_case": 1}"#, "do_lower_case is a number, expected a bool"),
    (
      "config_sentence_transformers.json", #"{"default_prompt_name": "query"}"#,
      #"default_prompt_name is "query": prompts are not supported"#
    ),
  ]) func refusesFiles(name: String, text: String, expected: String) throws {
    let files = TinyBERT.modules().merging([name: text]) { $1 }
    let folder = try TinyBERT().folder(files: files)
    let error = #expect(throws: ModelError.self, "\(text)") { _ = try SentenceEncoder(path: folder.path) }
    #expect(
      error?.description.hasSuffix(": \(expected)") == true || expected.isEmpty,
      "\(text): \(error?.description ?? "")")
    #expect(error?.description.hasPrefix(folder.path) == true, "\(error?.description ?? "")")
  }

  @Test func refusesAPoolingWithoutItsFile() throws {
    var files = TinyBERT.modules()
    files["1_Pooling/config.json"] = nil
    let folder = try TinyBERT().folder(files: files)
    let error = #expect(throws: ModelError.self) { _ = try SentenceEncoder(path: folder.path) }
    #expect(error?.description == "\(folder.path)/1_Pooling/config.json: no such file")
  }

  @Test func nullsAreAsGoodAsNothing() throws {
    let files = TinyBERT.modules().merging([
      "sentence_bert_config.json": #"{"max_seq_length": null, "do_lower_case": true}"#,
      "config_sentence_transformers.json": #"{"prompts": {}, "default_prompt_name": null}"#,
    ]) { $1 }
    let folder = try TinyBERT().folder(files: files)
    let encoder = try SentenceEncoder(path: folder.path)
    #expect(encoder.longest == 16)
    #expect(encoder.tokens(of: "AB") == [2, 4, 3])
  }

  @Test func refusesATokenizerThatDoesNotFitTheWeights() throws {
    let more = TinyBERT.tokenizer.replacing("\"##ba\": 13", with: "\"##ba\": 13, \"c\": 14")
    let folder = try TinyBERT().folder(files: TinyBERT.modules().merging(["tokenizer.json": more]) { $1 })
    let error = #expect(throws: ModelError.self) { _ = try SentenceEncoder(path: folder.path) }
    #expect(error?.reason == "a tokenizer of 15 tokens does not fit embeddings of 14")
  }

  @Test func refusesAFolderWithoutATokenizer() throws {
    let folder = try TinyBERT().folder(files: TinyBERT.modules())
    try FileManager.default.removeItem(atPath: folder.file("tokenizer.json"))
    let error = #expect(throws: ModelError.self) { _ = try SentenceEncoder(path: folder.path) }
    #expect(error?.description.contains("tokenizer.json") == true, "\(error?.description ?? "")")
  }
}
