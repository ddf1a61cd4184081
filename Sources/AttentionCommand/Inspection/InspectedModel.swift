import ArgumentParser
import Attention
import AttentionInspection
import Foundation
import TensorFiles
import Transformer

/// The flags of `attention inspect` that name a layer of a model in place of a case.
struct InspectedModel: ParsableArguments {
  @Option(help: ArgumentHelp("A GGUF file, or a folder with config.json and safetensors.", valueName: "path"))
  var model: String?

  @Option(help: ArgumentHelp("With --model, the text that the model reads.", valueName: "text"))
  var prompt: String?

  @Option(help: ArgumentHelp("With --model, the layer, counted from 0. (default: 0)", valueName: "number"))
  var layer: Int?

  /// Throws where the command line names both a case and a model, or neither.
  func check(besides source: CaseArguments) throws {
    if model == nil {
      if prompt != nil { throw ValidationError("--prompt: no --model reads it") }
      if layer != nil { throw ValidationError("--layer: no --model has it") }
      if source.input == nil {
        throw ValidationError("Missing expected argument '<case>', or --model and --prompt")
      }
      return
    }
    if let input = source.input {
      throw ValidationError("\(input): a case and --model, expected one of them")
    }
    if prompt == nil { throw ValidationError("--model: expected --prompt too, the text that it reads") }
    if let layer, layer < 0 { throw ValidationError("--layer: \(layer), expected 0 or more") }
    if let flag = source.attributes.overrides.keys.sorted().first {
      throw ValidationError("\(AttributeFlags.flag(flag)): an attribute of a case, and --model has none")
    }
  }
}

extension InspectCommand {
  /// Shows the heads of a layer of a model.
  func inspectModel(at path: String) throws {
    let (layer, prompt) = (model.layer ?? 0, model.prompt ?? "")
    // Floats: the report is about the model, not about how it may be stored.
    let language = try LanguageModel(path: path, weights: .float32, on: source.pool)
    let tokens = language.tokenizer.encode(prompt)
    guard !tokens.isEmpty else { throw CaseError("--prompt", "no tokens, expected at least one") }
    let call: AttentionCall
    do {
      call = try language.decoder.attentionCall(layer: layer, tokens: tokens)
    } catch {
      throw CaseError("--\(error.argument == "layer" ? "layer" : "prompt")", error.reason)
    }
    let inspector = try AttentionInspector(call.attention, call.queries, call.keyValues)
    let labels = TokenLabels(tokens: tokens.map(language.tokenizer.label), count: tokens.count)
    try show(
      inspection(
        of: inspector, "\(URL(fileURLWithPath: path).lastPathComponent), layer \(layer)", (labels, labels)))
  }
}
