extension Tensor: CustomStringConvertible, CustomDebugStringConvertible {
  /// The elements between nested brackets in aligned columns, as NumPy prints arrays.
  ///
  ///     [[1.   0.25]
  ///      [0.   3.5 ]]
  ///
  /// At most four decimals, and an exponent for all where the largest number has many digits. Beyond 1000 elements only the
  /// first and last three of each axis appear, with `…` between; rows longer than 75 characters are wrapped. A tensor without
  /// axes is its number, an empty one `[]`.
  public var description: String {
    if isEmpty { return "[]" }
    var shown: [Element] = []
    collectShown(axis: 0, position: 0, into: &shown)
    var printer = TensorPrinter(tensor: self, format: NumberFormat(fitting: shown))
    printer.print(axis: 0, position: 0)
    return printer.output
  }

  /// The type and shape on one line, the elements below: `Tensor<float32> [2, 3]`.
  public var debugDescription: String {
    "Tensor<\(Element.elementType)> \(shape)\n\(description)"
  }

  /// The indices of an axis that are printed; nil stands for those left out.
  fileprivate func shownIndices(_ axis: Int) -> [Int?] {
    let (threshold, edge) = (1000, 3)
    let length = shape[axis]
    guard count > threshold, length > 2 * edge else { return Array(0..<length) }
    return Array(0..<edge) + [nil] + Array(length - edge..<length)
  }

  fileprivate func element(at position: Int) -> Element {
    withUnsafePointer { $0[position] }
  }

  private func collectShown(axis: Int, position: Int, into shown: inout [Element]) {
    if axis == rank { return shown.append(element(at: position)) }
    for case let index? in shownIndices(axis) {
      collectShown(axis: axis + 1, position: position + index * strides[axis], into: &shown)
    }
  }
}

/// Writes a tensor recursively, axis by axis.
private struct TensorPrinter<Element: TensorElement> {
  let tensor: Tensor<Element>
  let format: NumberFormat<Element>
  var output = ""

  private let ellipsis = "…"

  init(tensor: Tensor<Element>, format: NumberFormat<Element>) {
    self.tensor = tensor
    self.format = format
  }

  mutating func print(axis: Int, position: Int) {
    if axis == tensor.rank {
      output += format.text(tensor.element(at: position))
    } else if axis == tensor.rank - 1 {
      printRow(axis: axis, position: position)
    } else {
      let indent = String(repeating: " ", count: axis + 1)
      // A matrix's rows are one line apart, its neighbours two, and so on.
      let gap = String(repeating: "\n", count: tensor.rank - 1 - axis) + indent
      output += "["
      for (place, index) in tensor.shownIndices(axis).enumerated() {
        if place > 0 { output += gap }
        if let index {
          print(axis: axis + 1, position: position + index * tensor.strides[axis])
        } else {
          output += ellipsis
        }
      }
      output += "]"
    }
  }

  private mutating func printRow(axis: Int, position: Int) {
    let indent = String(repeating: " ", count: axis + 1)
    // NumPy's 75 characters, less a closing bracket for each axis.
    let lineWidth = 75 - (axis + 1)
    output += "["
    var used = indent.count
    for (place, index) in tensor.shownIndices(axis).enumerated() {
      let word =
        index.map { format.text(tensor.element(at: position + $0 * tensor.strides[axis])) } ?? ellipsis
      if place > 0 {
        if used + 1 + word.count > lineWidth {
          while output.last == " " { output.removeLast() }
          output += "\n" + indent
          used = indent.count
        } else {
          output += " "
          used += 1
        }
      }
      output += word
      used += word.count
    }
    output += "]"
  }
}
