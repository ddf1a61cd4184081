import Attention
import TensorFiles
import Transformer

extension FuzzTarget {
  /// A GGUF file: all metadata and tensors, then the tokenizer and the model that it may hold.
  static let gguf = FuzzTarget("gguf") { bytes throws(FuzzFault) in
    try attempt {
      let file = try GGUFFile(bytes: bytes)
      try readAll(file, byteCount: bytes.count)
      _ = try attempt { try exercise(Tokenizer(gguf: file), text: "Hello wo\u{301}rld 12") }
      _ = try attempt { _ = try EncoderConfiguration(file, path: "memory") }
      _ = try attempt { try exercise(DecoderModel(gguf: file, path: "memory", context: 8, on: .shared)) }
    }
  }

  private static func readAll(_ file: GGUFFile, byteCount: Int) throws {
    for key in file.metadataKeys {
      guard file.metadata(key) != nil else { throw FuzzFault("\(key) is in metadataKeys, and has no value") }
      _ = (file.string(key), file.integer(key), file.number(key), file.boolean(key))
      _ = (file.strings(key), file.integers(key), file.numbers(key))
      var texts = 0
      _ = file.stringBytes(key) { texts += $0.count }
      try require(texts <= byteCount, "\(texts) bytes of text in a file of \(byteCount)")
    }
    for name in file.names {
      guard let entry = file[name] else { throw FuzzFault("\(name) is in names, and has no entry") }
      let floats = try file.tensor(name, convertedTo: Float.self)
      try require(floats.shape == entry.shape, "\(name) became \(floats.shape), expected \(entry.shape)")
      _ = try file.tensor(name, convertedTo: BFloat16.self).elements
    }
  }
}
