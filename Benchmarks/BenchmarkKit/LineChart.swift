import Foundation

/// Curves over numbers that double, both axes logarithmic, as SVG that needs nothing else: no script, no font, no network.
///
/// Panels stand side by side. The background is part of the drawing, so that it reads the same on light and dark pages.
package struct LineChart {
  /// One curve.
  package struct Series {
    package let name: String
    /// Positive numbers.
    package let points: [(x: Double, y: Double)]

    package init(_ name: String, _ points: [(x: Double, y: Double)]) {
      (self.name, self.points) = (name, points)
    }
  }

  /// Curves with axes of their own.
  package struct Panel {
    package let title: String
    /// What stands at the axes.
    package let (x, y): (String, String)
    package let series: [Series]
    /// A curve to compare with, dashed.
    package let ideal: Series?

    package init(title: String, x: String, y: String, series: [Series], ideal: Series?) {
      (self.title, self.series, self.ideal) = (title, series, ideal)
      (self.x, self.y) = (x, y)
    }
  }

  private let title: String
  private let notes: [String]
  private let panels: [Panel]

  /// - Parameter notes: lines below the panels.
  package init(title: String, notes: [String], panels: [Panel]) {
    (self.title, self.notes, self.panels) = (title, notes, panels)
  }

  private static let (margin, panelWidth, plotWidth, plotHeight) = (16.0, 430.0, 340.0, 240.0)
  private static let (ink, faded, grid) = ("#1b1f24", "#59636e", "#d8dee4")
  /// Okabe and Ito's palette, as in the report.
  private static let colors = ["#0072b2", "#d55e00", "#00795a", "#b1518a"]

  /// The file's text.
  package func svg() -> String {
    let width = 2 * Self.margin + Self.panelWidth * Double(panels.count)
    let bottom = Self.margin + 50 + Self.plotHeight + 50
    let height = bottom + 16 * Double(notes.count) + Self.margin
    let drawn = panels.enumerated().map { index, panel in
      PanelDrawing(panel, left: Self.margin + Self.panelWidth * Double(index), top: Self.margin + 50).markup
    }
    let lines = notes.enumerated().map { index, note in
      text(note, Self.margin, bottom + 16 * Double(index + 1), "font-size=\"11\" fill=\"\(Self.faded)\"")
    }
    return """
      <svg xmlns="http://www.w3.org/2000/svg" width="\(place(width))" height="\(place(height))" \
      viewBox="0 0 \(place(width)) \(place(height))" role="img" \
      font-family="Liberation Sans, Arial, Helvetica, sans-serif" font-size="12" fill="\(Self.ink)">
      <title>\(escaped(title))</title>
      <rect width="100%" height="100%" fill="#ffffff"/>
      \(text(title, Self.margin, Self.margin + 12, "font-size=\"15\" font-weight=\"bold\""))
      \((drawn + lines).joined(separator: "\n"))
      </svg>

      """
  }

  /// A panel at its place.
  private struct PanelDrawing {
    let panel: Panel
    let (left, top): (Double, Double)
    private let (lowX, highX, lowY, highY): (Double, Double, Double, Double)

    init(_ panel: Panel, left: Double, top: Double) {
      (self.panel, self.left, self.top) = (panel, left + 60, top)
      let points = (panel.series + (panel.ideal.map { [$0] } ?? [])).flatMap(\.points)
      (lowX, highX) = (points.map(\.x).min() ?? 1, points.map(\.x).max() ?? 1)
      // Whole decades.
      let (low, high) = (points.map(\.y).min() ?? 1, points.map(\.y).max() ?? 1)
      lowY = pow(10, log10(low).rounded(.down))
      highY = max(pow(10, log10(high).rounded(.up)), 10 * lowY)
    }

    private func x(_ value: Double) -> Double {
      left + (highX > lowX ? log(value / lowX) / log(highX / lowX) : 0.5) * plotWidth
    }

    private func y(_ value: Double) -> Double {
      top + (1 - log(value / lowY) / log(highY / lowY)) * plotHeight
    }

    var markup: String { (frame + curves).joined(separator: "\n") }

    private var frame: [String] {
      var lines = [text(panel.title, left, top - 12, "font-weight=\"bold\"")]
      for value in sequence(first: lowY, next: { $0 * 10 < highY * 1.5 ? $0 * 10 : nil }) {
        lines.append(line(from: (left, y(value)), to: (left + plotWidth, y(value)), grid))
        lines.append(text(label(value), left - 6, y(value) + 4, "text-anchor=\"end\" fill=\"\(faded)\""))
      }
      for value in Set((panel.series.first?.points ?? []).map(\.x)).sorted() {
        lines.append(line(from: (x(value), top), to: (x(value), top + plotHeight), grid))
        lines.append(
          text(label(value), x(value), top + plotHeight + 16, "text-anchor=\"middle\" fill=\"\(faded)\""))
      }
      lines.append(
        text(panel.x, left + plotWidth / 2, top + plotHeight + 34, "text-anchor=\"middle\" fill=\"\(faded)\"")
      )
      lines.append(
        text(
          panel.y, 0, 0,
          "text-anchor=\"middle\" fill=\"\(faded)\" transform=\"translate(\(place(left - 48)) \(place(top + plotHeight / 2))) rotate(-90)\""
        ))
      return lines
    }

    private var curves: [String] {
      var lines: [String] = []
      if let ideal = panel.ideal {
        lines.append(curve(ideal.points, "stroke=\"\(faded)\" stroke-dasharray=\"4 4\""))
      }
      // Names stand in the upper right, where falling curves leave room.
      let names = panel.series.map(\.name) + (panel.ideal.map { [$0.name] } ?? [])
      for (index, name) in names.enumerated() {
        let isIdeal = index == panel.series.count
        let color = isIdeal ? faded : colors[index % colors.count]
        let height = top + 16 + 16 * Double(index)
        lines.append(
          "<path d=\"M\(place(left + plotWidth - 118)) \(place(height - 4))h22\" stroke=\"\(color)\" stroke-width=\"2\"\(isIdeal ? " stroke-dasharray=\"4 4\"" : "")/>"
        )
        lines.append(text(name, left + plotWidth - 90, height, ""))
      }
      for (index, series) in panel.series.enumerated() {
        let color = colors[index % colors.count]
        lines.append(curve(series.points, "stroke=\"\(color)\" stroke-width=\"2\""))
        for point in series.points {
          lines.append(
            "<circle cx=\"\(place(x(point.x)))\" cy=\"\(place(y(point.y)))\" r=\"3.5\" fill=\"\(color)\"/>")
        }
      }
      return lines
    }

    private func curve(_ points: [(x: Double, y: Double)], _ style: String) -> String {
      let places = points.map { "\(place(x($0.x))) \(place(y($0.y)))" }
      return "<path d=\"M\(places.joined(separator: "L"))\" fill=\"none\" \(style)/>"
    }

    private func line(from: (Double, Double), to: (Double, Double), _ color: String) -> String {
      "<path d=\"M\(place(from.0)) \(place(from.1))L\(place(to.0)) \(place(to.1))\" stroke=\"\(color)\"/>"
    }

    private var plotWidth: Double { LineChart.plotWidth }
    private var plotHeight: Double { LineChart.plotHeight }
    private var faded: String { LineChart.faded }
    private var grid: String { LineChart.grid }
    private var colors: [String] { LineChart.colors }
  }
}

private func text(_ words: String, _ x: Double, _ y: Double, _ style: String) -> String {
  "<text x=\"\(place(x))\" y=\"\(place(y))\" \(style)>\(escaped(words))</text>"
}

private func escaped(_ text: String) -> String {
  text.replacingOccurrences(of: "&", with: "&amp;").replacingOccurrences(of: "<", with: "&lt;")
}

/// Two decimals at most, and none that it does not need.
private func place(_ value: Double) -> String { label((value * 100).rounded() / 100) }

private func label(_ value: Double) -> String { String(format: "%.6g", value) }
