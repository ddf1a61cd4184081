extension HeatMapFigure {
  /// The cells of a map in a frame. Those of level 0 are the ground's own colour.
  func cells(
    _ map: HeatMap, _ maximum: Double, x: Double, y: Double, size: Double, hasTips: Bool
  ) -> String {
    let place = "x=\"\(number(x))\" y=\"\(number(y))\""
    let (width, height) = (size * Double(map.cells.columns), size * Double(map.cells.rows))
    let extent = "\(place) width=\"\(number(width))\" height=\"\(number(height))\""
    let ground = "<rect \(extent) fill=\"\(ColorRamp.colors[0])\"/>"
    let frame = "<rect \(extent) fill=\"none\" stroke=\"#c8ccd1\"/>"
    // A tip for each of a few cells costs little; for thousands it would be most of the file.
    if hasTips && map.cells.rows * map.cells.columns <= 1024 {
      return [ground, tippedCells(map, maximum, x: x, y: y, size: size), frame].joined(separator: "\n")
    }
    let group =
      "<g transform=\"translate(\(number(x)) \(number(y + size / 2))) scale(\(number(size)))\" fill=\"none\" "
      + "shape-rendering=\"crispEdges\">"
    return ([ground, group] + levelPaths(map, maximum) + ["</g>", frame]).joined(separator: "\n")
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
        let tip = "\(rows.labels[row]) → \(columns.labels[column]): \(significant(value))"
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
