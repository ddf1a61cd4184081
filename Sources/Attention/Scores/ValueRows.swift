/// The values of one key/value head of one sequence, read one by one in Double, wherever they lie.
package struct ValueRows {
  private let source: TileSource<Double>
  private let count: Int
  private let place: (sequence: Int, head: Int)

  /// - Parameters:
  ///   - count: how many the sequence has.
  ///   - place: the sequence and the key/value head.
  init(_ rows: KeyValueRows, columns: Int, count: Int, of place: (sequence: Int, head: Int)) {
    self.source = TileSource(rows, columns: columns, KernelVariant.best.kernels)
    self.count = count
    self.place = place
  }

  package var columns: Int { source.columns }

  /// Calls `body` with the value of a key; zeros past the sequence's keys, which are never looked at.
  package func read(_ key: Int, _ body: (UnsafeBufferPointer<Double>) -> Void) {
    withUnsafeTemporaryAllocation(of: Double.self, capacity: columns) { row in
      guard let base = row.baseAddress else { return }
      if key < count {
        source.read(place.sequence, place.head, key, into: base)
      } else {
        base.update(repeating: 0, count: columns)
      }
      body(UnsafeBufferPointer(row))
    }
  }
}
