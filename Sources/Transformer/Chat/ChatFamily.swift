/// The families of chat templates that are known, with what differs between their members.
enum ChatFamily: Sendable {
  case chatML(ChatMLStyle)
  case llama3(Llama3Style)
  case instruct(InstructStyle)
  case gemma(GemmaStyle)
  case bars(BarsStyle)

  /// Recognises a template; nil where it is of no family known.
  ///
  /// A marker alone is not trusted: each family also looks for the expressions that its members write turns with, so
  /// that a stranger with a known marker is refused instead of being written wrongly.
  init?(_ jinja: String) {
    let source = TemplateSource(jinja)
    if source.holds("<|im_start|>") {
      guard let style = ChatMLStyle(source) else { return nil }
      self = .chatML(style)
    } else if source.holds("<|start_header_id|>") {
      guard let style = Llama3Style(source) else { return nil }
      self = .llama3(style)
    } else if source.holds("[INST]") {
      guard let style = InstructStyle(source) else { return nil }
      self = .instruct(style)
    } else if source.holds("<start_of_turn>") {
      guard let style = GemmaStyle(source) else { return nil }
      self = .gemma(style)
    } else if source.holds("<|user|>") {
      guard let style = BarsStyle(source) else { return nil }
      self = .bars(style)
    } else {
      return nil
    }
  }
}

/// A template's text, with what makes no difference written one way: `"` as `'`, line feeds as `\n`, spaces once or
/// not at all, `message.role` as `message['role']`.
struct TemplateSource {
  private let text: String
  /// The text as it is.
  let original: String

  init(_ jinja: String) {
    original = jinja
    var bytes: [UInt8] = []
    for byte in jinja.utf8 {
      switch byte {
      case UInt8(ascii: "\""): bytes.append(UInt8(ascii: "'"))
      case 0x0A: bytes += [0x5C, UInt8(ascii: "n")]
      default: bytes.append(byte)
      }
    }
    var text = String(decoding: bytes, as: UTF8.self)
    for (long, short) in [
      ("message.role", "message['role']"), ("message.content", "message['content']"), ("' + '", ""),
    ] {
      text = Self.replacing(long, by: short, in: text)
    }
    for sign in ["+", "|"] {
      while text.holds(" \(sign)") { text = Self.replacing(" \(sign)", by: sign, in: text) }
      while text.holds("\(sign) ") { text = Self.replacing("\(sign) ", by: sign, in: text) }
    }
    self.text = text
  }

  /// Whether a piece occurs, which is to be written as described above, without spaces around `+` and `|`.
  func holds(_ piece: String) -> Bool { text.holds(piece) || original.holds(piece) }

  /// What stands behind each `start`, up to the next `end`.
  func texts(between start: String, and end: String) -> [String] {
    var result: [String] = []
    var place = text.startIndex
    while let first = text.firstRange(of: start, from: place),
      let second = text.firstRange(of: end, from: first.upperBound)
    {
      result.append(String(text[first.upperBound..<second.lowerBound]))
      place = first.upperBound
    }
    return result
  }

  private static func replacing(_ old: String, by new: String, in text: String) -> String {
    var result = ""
    var start = text.startIndex
    while let range = text.firstRange(of: old, from: start) {
      result += text[start..<range.lowerBound] + new
      start = range.upperBound
    }
    return result + text[start...]
  }
}
