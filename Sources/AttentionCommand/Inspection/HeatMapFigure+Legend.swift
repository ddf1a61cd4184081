import Foundation

extension HeatMapFigure {
  /// The scale of colour with its numbers, and the notes.
  func legend(_ maximum: Double, top: Double) -> Part {
    let (left, width) = (Self.margin, 240.0)
    var lines = [
      "<text x=\"\(number(left))\" y=\"\(number(top))\" font-size=\"11\">\(measure.xml)</text>"
    ]
    let step = width / Double(ColorRamp.levels)
    for (level, color) in ColorRamp.colors.enumerated() {
      lines.append(
        "<rect x=\"\(number(left + step * Double(level)))\" y=\"\(number(top + 7))\" width=\"\(number(step))\" "
          + "height=\"12\" fill=\"\(color)\" shape-rendering=\"crispEdges\"/>")
    }
    lines.append(
      "<rect x=\"\(number(left))\" y=\"\(number(top + 7))\" width=\"\(number(width))\" height=\"12\" "
        + "fill=\"none\" stroke=\"#c8ccd1\"/>")
    for tick in 0...4 {
      let place = Double(tick) / 4
      lines.append(
        "<text x=\"\(number(left + width * place))\" y=\"\(number(top + 31))\" font-size=\"10\" "
          + "text-anchor=\"\(tick == 0 ? "start" : "middle")\">\(shortNumber(maximum * place * place))</text>"
      )
    }
    var right = left + width + 30
    if panels.contains(where: \.map.hasNonFinite) {
      lines.append(
        "<rect x=\"\(number(right))\" y=\"\(number(top + 7))\" width=\"12\" height=\"12\" "
          + "fill=\"\(ColorRamp.nonFinite)\"/><text x=\"\(number(right + 17))\" y=\"\(number(top + 17))\" "
          + "font-size=\"10\">not finite</text>")
      right += 90
    }
    for (index, note) in notes.enumerated() {
      lines.append(
        "<text x=\"\(number(left))\" y=\"\(number(top + 50 + 14 * Double(index)))\" font-size=\"11\" "
          + "fill=\"\(Self.fadedInk)\">\(note.xml)</text>")
      right = max(right, left + 6.7 * Double(note.columns))
    }
    // 15 points of bold monospace are 9.2 wide.
    right = max(right, left + 9.2 * Double(title.columns), left + 6.7 * Double(measure.columns))
    return Part(
      markup: lines.joined(separator: "\n"), width: right, height: top + 38 + 14 * Double(notes.count))
  }
}

/// A number for a tick: two digits.
private func shortNumber(_ value: Double) -> String { value == 0 ? "0" : String(format: "%.2g", value) }
