import Foundation

/// A drawing of heat maps as SVG that needs nothing else: no script, no font, no network.
///
/// One map has a label on each row and column; several stand side by side as small multiples, in one scale of colour.
/// The background is part of the drawing, so that it reads the same on light and dark pages.
struct HeatMapFigure {
  /// One head.
  struct Panel {
    let title: String
    let map: HeatMap
  }

  let title: String
  /// What a cell shows, for the legend.
  let measure: String
  /// Below the legend, a line each.
  let notes: [String]
  let panels: [Panel]
  /// The names of rows and columns; of a single map only.
  let rowLabels: [String]
  let columnLabels: [String]

  /// At most this many cells on a side of a single map.
  static let cellLimit = 256
  /// At most this many where there are several.
  static let smallCellLimit = 96

  private static let margin = 16.0
  private static let ink = "#1f2328"
  private static let fadedInk = "#59636e"

  /// The file's text.
  func svg() -> String {
    let maximum = panels.map(\.map.maximum).max() ?? 0
    let top = Self.margin + 34
    let body =
      panels.count == 1 ? labelledMap(panels[0].map, maximum, top: top) : multiples(maximum, top: top)
    let legendTop = body.height + 22
    let legend = legend(maximum, top: legendTop)
    let width = max(body.width, legend.width) + Self.margin
    let height = legend.height + Self.margin
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(number(width))" height="\(number(height))" \
      viewBox="0 0 \(number(width)) \(number(height))" role="img" font-family="ui-monospace, SFMono-Regular, \
      Menlo, Consolas, 'DejaVu Sans Mono', monospace" fill="\(Self.ink)">
      <title>\(title.xml)</title>
      <rect width="100%" height="100%" fill="#ffffff"/>
      <text x="\(number(Self.margin))" y="\(number(Self.margin + 14))" font-size="15" \
      font-weight="bold">\(title.xml)</text>
      \(body.markup)
      \(legend.markup)
      </svg>

      """
  }

  /// A part of the drawing, and how far it reaches to the right and down.
  private struct Part {
    var markup: String
    var width: Double
    var height: Double
  }
}

// MARK: - Maps

extension HeatMapFigure {
  /// A single map with its labels: rows on the left, columns on top, turned by a right angle.
  private func labelledMap(_ map: HeatMap, _ maximum: Double, top: Double) -> Part {
    let longest = max(map.cells.rows, map.cells.columns, 1)
    // Large enough to read a label of each cell, no larger than it takes to fill a page.
    let cell = min(26, max(9, (640 / Double(longest)).rounded()))
    let font = min(11, cell - 1)
    func length(_ labels: [String]) -> Double { 0.61 * font * Double(labels.map(\.columns).max() ?? 0) }
    let left = Self.margin + length(rowLabels) + 5
    let plotTop = top + length(columnLabels) + 5
    var lines = ["<g font-size=\"\(number(font))\" text-anchor=\"end\">"]
    for (row, label) in rowLabels.enumerated() where !label.isEmpty {
      let y = plotTop + (Double(row) + 0.5) * cell + 0.35 * font
      lines.append("<text x=\"\(number(left - 4))\" y=\"\(number(y))\">\(label.xml)</text>")
    }
    lines.append("</g><g font-size=\"\(number(font))\">")
    for (column, label) in columnLabels.enumerated() where !label.isEmpty {
      let x = left + (Double(column) + 0.5) * cell + 0.35 * font
      lines.append(
        "<text transform=\"translate(\(number(x)) \(number(plotTop - 4))) rotate(-90)\">\(label.xml)</text>")
    }
    lines.append("</g>")
    lines.append(cells(map, maximum, x: left, y: plotTop, size: cell, hasTips: true))
    return Part(
      markup: lines.joined(separator: "\n"), width: left + cell * Double(map.cells.columns),
      height: plotTop + cell * Double(map.cells.rows))
  }

  /// Several maps in a grid that is about as wide as it is high.
  private func multiples(_ maximum: Double, top: Double) -> Part {
    let longest = panels.map { max($0.map.cells.rows, $0.map.cells.columns) }.max() ?? 1
    let cell = max(2, (200 / Double(max(1, longest))).rounded(.down))
    let columns = max(1, Int(Double(panels.count).squareRoot().rounded(.up)))
    var part = Part(markup: "", width: 0, height: top)
    var lines: [String] = []
    var rowTop = top
    for start in stride(from: 0, to: panels.count, by: columns) {
      var left = Self.margin
      for panel in panels[start..<min(start + columns, panels.count)] {
        lines.append(
          "<text x=\"\(number(left))\" y=\"\(number(rowTop + 10))\" font-size=\"11\">\(panel.title.xml)</text>"
        )
        lines.append(cells(panel.map, maximum, x: left, y: rowTop + 16, size: cell, hasTips: false))
        let width = max(cell * Double(panel.map.cells.columns), 7 * Double(panel.title.columns))
        left += width + 18
        part.width = max(part.width, left - 18)
        part.height = max(part.height, rowTop + 16 + cell * Double(panel.map.cells.rows))
      }
      rowTop = part.height + 14
    }
    part.markup = lines.joined(separator: "\n")
    return part
  }
}

// MARK: - Cells

extension HeatMapFigure {
  /// The cells of a map in a frame. Cells of level 0 are the frame's own colour.
  private func cells(
    _ map: HeatMap, _ maximum: Double, x: Double, y: Double, size: Double, hasTips: Bool
  ) -> String {
    let (width, height) = (size * Double(map.cells.columns), size * Double(map.cells.rows))
    let frame =
      "<rect x=\"\(number(x))\" y=\"\(number(y))\" width=\"\(number(width))\" height=\"\(number(height))\" "
      + "fill=\"\(ColorRamp.colors[0])\" stroke=\"#c8ccd1\"/>"
    // A tip for each of a few cells costs little; for thousands it would be most of the file.
    if hasTips && map.cells.rows * map.cells.columns <= 1024 {
      return frame + "\n" + tippedCells(map, maximum, x: x, y: y, size: size)
    }
    let group =
      "<g transform=\"translate(\(number(x)) \(number(y + size / 2))) scale(\(number(size)))\" fill=\"none\" "
      + "shape-rendering=\"crispEdges\">"
    return ([frame, group] + levelPaths(map, maximum) + ["</g>"]).joined(separator: "\n")
  }

  /// One path a colour: each run of neighbours in a row is a stroke one cell thick. Moves are relative, most of them a few
  /// bytes long.
  private func levelPaths(_ map: HeatMap, _ maximum: Double) -> [String] {
    var paths = [String](repeating: "", count: ColorRamp.levels + 1)
    var pens = [(x: Int, y: Int)](repeating: (0, 0), count: paths.count)
    for row in 0..<map.cells.rows {
      var column = 0
      while column < map.cells.columns {
        let level = level(map[row, column], maximum)
        var end = column + 1
        while end < map.cells.columns, self.level(map[row, end], maximum) == level { end += 1 }
        if level > 0 {
          let (dx, dy) = (column - pens[level].x, row - pens[level].y)
          paths[level] += "m\(dx)\(dy < 0 ? "" : " ")\(dy)h\(end - column)"
          pens[level] = (end, row)
        }
        column = end
      }
    }
    return paths.enumerated().filter { !$0.element.isEmpty }.map {
      "<path stroke=\"\(color($0.offset))\" d=\"\($0.element)\"/>"
    }
  }

  /// A rectangle a cell, each with its number.
  private func tippedCells(_ map: HeatMap, _ maximum: Double, x: Double, y: Double, size: Double) -> String {
    var lines = ["<g stroke=\"#ffffff\" stroke-width=\"0.5\">"]
    for row in 0..<map.cells.rows {
      for column in 0..<map.cells.columns {
        let value = map[row, column]
        let tip = "\(rowLabels[row]) → \(columnLabels[column]): \(significant(value))"
        lines.append(
          "<rect x=\"\(number(x + size * Double(column)))\" y=\"\(number(y + size * Double(row)))\" "
            + "width=\"\(number(size))\" height=\"\(number(size))\" fill=\"\(color(level(value, maximum)))\">"
            + "<title>\(tip.xml)</title></rect>")
      }
    }
    return (lines + ["</g>"]).joined(separator: "\n")
  }

  /// A level of the ramp, or one past it for what is not finite.
  private func level(_ value: Double, _ maximum: Double) -> Int {
    if !value.isFinite { return ColorRamp.levels }
    return maximum > 0 ? ColorRamp.level(of: value / maximum) : 0
  }

  private func color(_ level: Int) -> String {
    level < ColorRamp.levels ? ColorRamp.colors[level] : ColorRamp.nonFinite
  }
}

// MARK: - Legend

extension HeatMapFigure {
  /// The scale of colour with its numbers, and the notes.
  private func legend(_ maximum: Double, top: Double) -> Part {
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

/// A length with two decimals at most, and none that it does not need.
private func number(_ value: Double) -> String {
  var text = fixed(value, 2)
  while text.last == "0" { text.removeLast() }
  if text.last == "." { text.removeLast() }
  return text
}

/// A number for a tick: two digits.
private func shortNumber(_ value: Double) -> String { value == 0 ? "0" : String(format: "%.2g", value) }
