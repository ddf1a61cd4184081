import Attention

/// What is wrong with a case file, in one line that names the tensor or attribute.
package struct CaseError: Error, Equatable, CustomStringConvertible {
  /// The tensor or attribute, as the file names it.
  package let name: String

  /// What was given and what was expected.
  package let reason: String

  init(_ name: String, _ reason: String) {
    self.name = name
    self.reason = reason
  }

  /// What attention refused, under the names that the file has for its arguments.
  init(_ error: AttentionError) {
    let names = [
      "queries": "Q", "keys": "K", "values": "V", "mask": "attn_mask",
      "keyPages": "K", "valuePages": "V", "pageTable": "block_table", "packedKeys": "K",
      "lengths": "nonpad_kv_seqlen",
      "tensor": "input", "cosines": "cos_cache", "sines": "sin_cache", "positions": "position_ids",
      "headDimension": "input",
    ]
    self.init(names[error.argument] ?? error.argument, error.reason)
  }

  /// `name: reason`
  package var description: String { "\(name): \(reason)" }
}

/// Text from a file as it may stand in a message: quoted, on one line, at most 60 characters.
func quoted(_ text: String) -> String {
  text.count > 60 ? String(text.prefix(60)).debugDescription + "..." : text.debugDescription
}
