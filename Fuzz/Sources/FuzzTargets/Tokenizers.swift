import Transformer

extension FuzzTarget {
  /// A `tokenizer.json`, then, behind NUL bytes, a text to encode and a `tokenizer_config.json`.
  static let tokenizers = FuzzTarget("tokenizers") { bytes throws(FuzzFault) in
    try attempt {
      var input = InputBytes(bytes)
      let parts = input.rest(parts: 3)
      let tokenizer = try Tokenizer(
        json: parts[0], configuration: parts.count > 2 ? parts[2] : nil, name: "tokenizer.json")
      try exercise(tokenizer, text: parts.count > 1 ? String(decoding: parts[1], as: UTF8.self) : "a b")
    }
  }

  /// A chat template, then, behind NUL bytes, what is said.
  static let chats = FuzzTarget("chats") { bytes throws(FuzzFault) in
    try attempt {
      var input = InputBytes(bytes)
      let parts = input.rest(parts: 8).map { String(decoding: $0, as: UTF8.self) }
      let template = try ChatTemplate(jinja: parts[0], begin: "<s>", end: "</s>")
      let messages = parts.dropFirst().enumerated().map { index, text in
        ChatTemplate.Message(
          role: [.user, .assistant, .system][(index + text.utf8.count) % 3], content: text)
      }
      // White space around what users say may go, the rest stands in the prompt.
      let prompt = try template.prompt(messages)
      for message in messages where message.role == .user {
        // As Python has it, the four separators of ASCII are spaces too.
        let words = message.content.unicodeScalars.split {
          $0.properties.isWhitespace || (0x1C...0x1F).contains($0.value)
        }
        let longest = words.max { $0.count < $1.count }
        try require(
          longest.map { Array(prompt.utf8).contains(Array(String($0).utf8)) } ?? true,
          "\(message.content.debugDescription) is missing in \(prompt.debugDescription)")
      }
    }
  }
}

/// Encodes a text, decodes it, and does with all tokens what can be done.
func exercise(_ tokenizer: Tokenizer, text: String) throws(FuzzFault) {
  for recognises in [true, false] {
    let tokens = tokenizer.encode(text, recognisingSpecialTokens: recognises)
    try require(tokens.allSatisfy { 0..<tokenizer.count ~= $0 }, "tokens \(tokens) of \(tokenizer.count)")
    _ = tokenizer.decode(tokens)
    _ = tokenizer.decode(tokens, skippingSpecialTokens: true)
  }
  for token in [-1, .min, .max, tokenizer.count] {
    try require(tokenizer.bytes(of: token).isEmpty, "bytes of a token \(token) that does not exist")
    try require(!tokenizer.isSpecial(token), "a token \(token) that does not exist is special")
  }
  for token in 0..<min(tokenizer.count, 64) { _ = (tokenizer.label(of: token), tokenizer.isSpecial(token)) }
  try require(tokenizer.begin.map { 0..<tokenizer.count ~= $0 } ?? true, "a begin that is no token")
  try require(tokenizer.end.allSatisfy { 0..<tokenizer.count ~= $0 }, "ends that are no tokens")
  let message = ChatTemplate.Message(role: .user, content: text)
  _ = try attempt { _ = try tokenizer.encode(chat: [message]) }
}
