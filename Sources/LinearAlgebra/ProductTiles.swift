/// How one matrix product is cut into tasks for several threads.
///
/// The cut depends on the product's sizes alone, never on the number of threads, so that every run makes the same calls of
/// BLAS and gives the same bits. Inner products are never cut: a partial sum would have to be merged.
package struct ProductTiles: Equatable {
  /// Rows and columns of a full tile; tiles at the end may be smaller.
  package let rows: Int
  package let columns: Int
  private let size: ProductSize

  /// Each tile packs its rows of A and its columns of B again, which costs about `32 · (1/rows + 1/columns)` of the
  /// multiplications at 32 of them a cycle: 512 rows keep that within some percent where all columns are in one tile.
  private static let rowsPerTile = 512

  /// Few rows leave B to be read from memory: columns are cut so that a tile still takes tens of microseconds.
  private static let workPerTile = 1 << 22

  package init(_ size: ProductSize) {
    self.size = size
    if size.m > Self.rowsPerTile {
      self.rows = Self.rowsPerTile
      self.columns = max(size.n, 1)
    } else {
      self.rows = max(size.m, 1)
      let perColumn = Self.workPerRow(size) * max(size.m, Self.memoryBoundRows)
      // A multiple of 64: whole cache lines of C, and no tile with a tail in its middle.
      let wanted = (Self.workPerTile / max(perColumn, 1) + 63) / 64 * 64
      self.columns = max(min(max(wanted, size.m / 2 / 64 * 64), size.n), 1)
    }
  }

  /// Up to about so many rows, reading an element of B costs more than the multiplications with it.
  static let memoryBoundRows = 16

  private static func workPerRow(_ size: ProductSize) -> Int { max(size.k, 1) }

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
