import Foundation

/// The elements of a JSON array as they stand in its text, which no parser of Foundation tells.
struct JSONArrayText {
  struct Element {
    /// Counted from 1, where the element begins.
    let line: Int
    let text: Data
  }

  let elements: [Element]

  /// The elements of an array.
  ///
  /// - Parameter data: JSON in UTF-8 that is known to be valid and an array; of anything else the elements mean nothing.
  init(_ data: Data) {
    var elements: [Element] = []
    var (line, depth, isText, isEscaped) = (1, 0, false, false)
    var start: (line: Int, index: Data.Index)?
    func end(_ index: Data.Index) {
      if let first = start { elements.append(Element(line: first.line, text: data[first.index..<index])) }
      start = nil
    }
    for (index, byte) in zip(data.indices, data) {
      if byte == UInt8(ascii: "\n") { line += 1 }
      if isText {
        if isEscaped {
          isEscaped = false
        } else if byte == UInt8(ascii: "\\") {
          isEscaped = true
        } else if byte == UInt8(ascii: "\"") {
          isText = false
        }
        continue
      }
      switch byte {
      case UInt8(ascii: " "), UInt8(ascii: "\t"), UInt8(ascii: "\r"), UInt8(ascii: "\n"): continue
      case UInt8(ascii: ",") where depth == 1:
        end(index)
        continue
      case UInt8(ascii: "]") where depth == 1: end(index)
      default: if depth == 1 && start == nil { start = (line, index) }
      }
      switch byte {
      case UInt8(ascii: "\""): isText = true
      case UInt8(ascii: "["), UInt8(ascii: "{"): depth += 1
      case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
      default: break
      }
    }
    self.elements = elements
  }
}
