/// A drawing of heat maps as SVG that needs nothing else: no script, no font, no network.
///
/// One map has labels on its rows and columns; several stand side by side as small multiples, in one scale of colour.
/// The background is part of the drawing, so that it reads the same on light and dark pages.
struct HeatMapFigure {
  /// One head.
  struct Panel {
    let title: String
    let map: HeatMap
  }

  /// The labels of a side, one for each row or column of cells.
  struct Side {
    let labels: [String]
    /// Whether they are names. Each of them tells something; of numbers in a row a few tell all.
    let areNames: Bool

    /// How far apart those that are drawn are, in cells.
    var step: Int { areNames || labels.count <= 64 ? 1 : labels.count / 32 }
  }

  let title: String
  /// What a cell shows, for the legend.
  let measure: String
  /// Below the legend, a line each.
  let notes: [String]
  let panels: [Panel]
  /// What rows and columns are called; of a single map only.
  let rows: Side
  let columns: Side

  /// At most this many cells on a side of a single map.
  static let cellLimit = 256
  /// At most this many where there are several.
  static let smallCellLimit = 96

  static let margin = 16.0
  static let ink = "#1f2328"
  static let fadedInk = "#59636e"

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
  struct Part {
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
    // About a page wide, but never so small that the labels of neighbours meet.
    let smallest = min(rows.step, columns.step) == 1 ? 9.0 : 3.0
    let cell = min(26, max(smallest, (640 / Double(longest)).rounded()))
    func font(_ side: Side) -> Double { min(11, cell * Double(side.step) - 1) }
    func length(_ side: Side) -> Double {
      0.61 * font(side) * Double(side.labels.map(\.columns).max() ?? 0)
    }
    let left = Self.margin + length(rows) + 5
    let plotTop = top + length(columns) + 5
    /// Calls `draw` with the labels to draw and the middle of each, its baseline's shift included.
    func each(_ side: Side, from origin: Double, _ draw: (_ label: String, _ place: Double) -> Void) {
      for cellIndex in stride(from: 0, to: side.labels.count, by: side.step) {
        draw(side.labels[cellIndex].xml, origin + (Double(cellIndex) + 0.5) * cell + 0.35 * font(side))
      }
    }
    var lines = ["<g font-size=\"\(number(font(rows)))\" text-anchor=\"end\">"]
    each(rows, from: plotTop) {
      lines.append("<text x=\"\(number(left - 4))\" y=\"\(number($1))\">\($0)</text>")
    }
    lines.append("</g><g font-size=\"\(number(font(columns)))\">")
    each(columns, from: left) {
      lines.append(
        "<text transform=\"translate(\(number($1)) \(number(plotTop - 4))) rotate(-90)\">\($0)</text>")
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

/// A length with two decimals at most, and none that it does not need.
func number(_ value: Double) -> String {
  var text = fixed(value, 2)
  while text.last == "0" { text.removeLast() }
  if text.last == "." { text.removeLast() }
  return text
}
