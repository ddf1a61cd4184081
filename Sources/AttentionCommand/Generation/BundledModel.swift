import Foundation
import Transformer

/// The folder of the tiny Llama that comes with the command.
///
/// - Throws: ``ModelError`` where the command was moved without the folder that it was built with.
func bundledModel() throws(ModelError) -> String {
  // `Bundle.module` would end the process where its folder is missing.
  let folder = Bundle.main.bundleURL.appendingPathComponent(
    "swift-attention_AttentionCommand.resources/TinyLlama")
  guard FileManager.default.fileExists(atPath: folder.path) else {
    throw ModelError(
      "MODEL", "none given, and the model that comes with the command is not at \(folder.path)")
  }
  return folder.path
}
