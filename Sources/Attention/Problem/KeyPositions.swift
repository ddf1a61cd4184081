/// Which positions a sequence's rows of keys stand at: row `j` at position `j`, but where a ring has overwritten rows, those from `kept`
/// on `skipped` positions further. Where the keys are the later part of a sequence, no row is kept, and as many positions are skipped as the
/// first row stands at.
///
/// Kernels count rows. Rules, ALiBi and modifiers count positions.
struct KeyPositions: Hashable, Sendable {
  /// The rows before the first one that is missing; any number where none is.
  var kept = 0
  /// How many positions have no row.
  var skipped = 0

  /// The position of a row.
  func position(ofRow row: Int) -> Int { row < kept ? row : row + skipped }

  /// The first row at this position or after it.
  func row(at position: Int) -> Int {
    position <= kept ? position : max(kept, position - skipped)
  }

  /// Cuts rows into runs whose positions follow each other: one, or two around the missing ones.
  func forEachRun(of rows: Range<Int>, _ body: (_ rows: Range<Int>, _ firstPosition: Int) -> Void) {
    if rows.isEmpty { return }
    let cut = skipped == 0 ? rows.lowerBound : min(max(kept, rows.lowerBound), rows.upperBound)
    if cut > rows.lowerBound { body(rows.lowerBound..<cut, rows.lowerBound) }
    if cut < rows.upperBound { body(cut..<rows.upperBound, position(ofRow: cut)) }
  }
}
