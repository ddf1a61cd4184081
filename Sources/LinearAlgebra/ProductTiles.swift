/// How one matrix product is cut into tasks for several threads.
///
/// The cut depends on the product's sizes alone, never on the number of threads, so that every run makes the same calls of
/// BLAS and gives the same bits. Inner products are never cut: a partial sum would have to be merged.
package struct ProductTiles: Equatable {
  /// Rows and columns of a full tile; tiles at the end may be smaller.
  package let rows: Int
  package let columns: Int
  private let size: ProductSize

  /// Each tile packs its rows of A and columns of B again. At this size that costs one core 2–6 % of a 2048³ product in
  /// Float32; 256 rows would cost 12 %, 128 rows 25 %.
  private static let largest = (rows: 512, columns: 1024)

  /// Up to about so many rows, reading an element of B costs more than the multiplications with it.
  static let memoryBoundRows = 16

  /// Multiplications (or, for few rows, as many readings of B as take the same time) that make a tile worth handing over:
  /// tens of microseconds.
  private static let workPerTile = 1 << 22

  package init(_ size: ProductSize) {
    self.size = size
    self.rows = max(min(size.m, Self.largest.rows), 1)
    // Capped before it is multiplied: all sizes fit an Int32, so nothing here overflows.
    let workPerColumn = max(size.k, 1) * max(rows, Self.memoryBoundRows)
    let enough = (Self.workPerTile + workPerColumn - 1) / workPerColumn
    // A narrow tile packs A too often for what it computes: at least as wide as it is high, up to 256.
    let wide = min(max(enough, min(rows, 256)), Self.largest.columns)
    // A multiple of 64: whole cache lines of C, and no kernel tail but in the last tile.
    self.columns = max(min((wide + 63) / 64 * 64, size.n), 1)
  }

  private var rowTiles: Int { (size.m + rows - 1) / rows }
  private var columnTiles: Int { (size.n + columns - 1) / columns }

  /// The number of tiles; 0 where the product is empty.
  package var count: Int { rowTiles * columnTiles }

  /// The rows and columns of a tile.
  package subscript(tile: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (row, column) = tile.quotientAndRemainder(dividingBy: columnTiles)
    let firstRow = row * rows
    let firstColumn = column * columns
    return (
      firstRow..<min(firstRow + rows, size.m), firstColumn..<min(firstColumn + columns, size.n)
    )
  }
}
