/// A matrix that is filled row by row and kept small: neighbours share a cell where there are too many, and the largest of
/// them is what it shows. The mean would let a single bright weight among many dark ones disappear.
struct HeatMap {
  /// Rows and columns of the matrix itself.
  let size: (rows: Int, columns: Int)
  /// How many of them share a cell.
  let bin: (rows: Int, columns: Int)
  /// Rows and columns of cells.
  let cells: (rows: Int, columns: Int)
  private var values: [Double]

  /// A map of at most `limit × limit` cells, all 0.
  init(rows: Int, columns: Int, limit: Int) {
    func binned(_ count: Int) -> (bin: Int, cells: Int) {
      let bin = max(1, count / limit + (count.isMultiple(of: limit) ? 0 : 1))
      return (bin, count / bin + (count.isMultiple(of: bin) ? 0 : 1))
    }
    let (row, column) = (binned(rows), binned(columns))
    size = (rows, columns)
    bin = (row.bin, column.bin)
    cells = (row.cells, column.cells)
    values = [Double](repeating: 0, count: row.cells * column.cells)
  }

  /// Whether a cell stands for more than one number.
  var isBinned: Bool { bin.rows > 1 || bin.columns > 1 }

  /// What a cell shows.
  subscript(row: Int, column: Int) -> Double { values[row * cells.columns + column] }

  /// The largest finite number; 0 without any.
  var maximum: Double { values.reduce(0) { $1.isFinite ? max($0, $1) : $0 } }

  /// Whether some cell holds NaN or ∞.
  var hasNonFinite: Bool { values.contains { !$0.isFinite } }

  /// Enters one row of the matrix: the numbers at `places`, which are not negative, each times its factor.
  ///
  /// NaN is not hidden by what shares its cell. A 0 stays 0 whatever its factor is.
  mutating func add(row: Int, _ numbers: UnsafeBufferPointer<Double>, at places: [Int], factors: [Double]?) {
    let start = row / bin.rows * cells.columns
    for (column, place) in places.enumerated() where numbers[place] != 0 {
      let number = factors.map { numbers[place] * $0[place] } ?? numbers[place]
      let cell = start + column / bin.columns
      if number.isNaN || number > values[cell] { values[cell] = number }
    }
  }
}
