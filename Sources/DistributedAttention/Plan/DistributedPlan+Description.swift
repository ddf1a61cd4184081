extension DistributedPlan: CustomStringConvertible {
  /// A table for people: what each way sends, or why it is impossible, and the pick.
  ///
  ///     way                most of a rank, bytes  messages  in all, bytes  messages  idle ranks
  ///     decode                             …
  ///     prefillByHeads     impossible: 2 key/value heads do not divide among 4 ranks
  ///     pick of 4 ranks: prefill
  public var description: String {
    let header = [
      "way", "most of a rank, bytes", "messages", "in all, bytes", "messages", "idle ranks",
    ]
    let rows = estimates.map { estimate in
      [estimate.way.rawValue] + (estimate.isPossible ? Self.cells(estimate) : [])
    }
    let widths = header.indices.map { column in
      ([header] + rows).map { $0.count > column ? $0[column].count : 0 }.max() ?? 0
    }
    func line(_ cells: [String], _ obstacle: Obstacle? = nil) -> String {
      // Names stand to the left, numbers to the right.
      let padded = cells.enumerated().map { column, cell in
        let spaces = String(repeating: " ", count: widths[column] - cell.count)
        return column == 0 ? cell + spaces : spaces + cell
      }
      return (padded + (obstacle.map { ["impossible: \($0)"] } ?? [])).joined(separator: "  ")
    }
    let lines = [line(header)] + zip(rows, estimates).map { line($0, $1.obstacle) }
    return (lines + ["pick of \(ranks) ranks: \(pick)"]).joined(separator: "\n")
  }

  private static func cells(_ estimate: Estimate) -> [String] {
    let (largest, total) = (estimate.largest, estimate.total)
    return [largest.bytes, largest.messages, total.bytes, total.messages, estimate.idleRanks].map(
      String.init)
  }
}
