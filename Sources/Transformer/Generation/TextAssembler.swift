/// Puts the text of generated tokens together, and ends it before a stop text.
///
/// Text that may become a stop text waits, and so do bytes of a character that is not whole.
public struct TextAssembler: Sendable {
  private var decoder: StreamingDecoder
  private let stops: [[UInt8]]
  /// Text that may be the start of a stop text.
  private var waiting: [UInt8] = []

  /// Whether a stop text came: from here on nothing is text.
  public private(set) var isStopped = false

  /// An assembler for one text.
  ///
  /// - Parameters:
  ///   - tokenizer: what the tokens are from.
  ///   - stops: texts that end it; empty ones never do.
  public init(_ tokenizer: Tokenizer, stops: [String] = []) {
    decoder = tokenizer.makeDecoder()
    self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty }
  }

  /// The text that one more token completes.
  ///
  /// - Parameters:
  ///   - token: its id.
  ///   - isLast: whether no other token follows: then nothing waits any longer.
  public mutating func append(_ token: Int, isLast: Bool = false) -> String {
    let text = decoder.append(token)
    return isLast ? take(text) + finish() : take(text)
  }

  /// What still waits. Afterwards the assembler is at its start.
  public mutating func finish() -> String {
    var text = take(decoder.finish())
    if !isStopped { text += String(decoding: waiting, as: UTF8.self) }
    waiting.removeAll()
    return text
  }

  /// More text; gives what is sure to be no part of a stop text.
  private mutating func take(_ text: String) -> String {
    if isStopped { return "" }
    waiting += Array(text.utf8)
    if stops.isEmpty { return release(waiting.count) }
    // What ends first ends the text, however its tokens came.
    var found: Range<Int>?
    var held = waiting.count
    for start in waiting.indices {
      let rest = waiting[start...]
      for stop in stops {
        if rest.starts(with: stop), start + stop.count < found?.upperBound ?? .max {
          found = start..<start + stop.count
        }
        if stop.count > rest.count, stop.starts(with: rest) { held = min(held, start) }
      }
    }
    if let found {
      isStopped = true
      return release(found.lowerBound)
    }
    // A character is never split: a stop text starts with the first byte of one.
    return release(held)
  }

  private mutating func release(_ count: Int) -> String {
    let text = String(decoding: waiting[..<count], as: UTF8.self)
    waiting.removeFirst(count)
    return text
  }
}
