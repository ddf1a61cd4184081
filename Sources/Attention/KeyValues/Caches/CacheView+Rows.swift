import CAttentionKernels

extension CacheView {
  /// Copies of a sequence's keys and values in one layer, `[Hkv, rows, D]` and `[Hkv, rows, Dv]`, as the Floats that they stand for: slow
  /// and plain, for tests and a look at what is there.
  ///
  /// - Precondition: the layer is one of the pool's, the sequence one of the view's.
  package func floats(layer: Int, sequence: Int) -> (keys: Tensor<Float>, values: Tensor<Float>) {
    precondition((0..<pool.layers).contains(layer), "layer \(layer) of \(pool.layers)")
    let count = rowCount(sequence)
    func tensor(_ rows: CachedRows) -> Tensor<Float> {
      Tensor(unsafeUninitializedShape: [heads, count, rows.columns]) { buffer in
        for head in 0..<heads {
          var row = 0
          while row < count {
            let run = run(sequence: sequence, row: row)
            for index in 0..<run.count {
              for column in 0..<rows.columns {
                let value = rows.float(page: run.page, head: head, row: run.rowInPage + index, column: column)
                buffer[(head * count + row + index) * rows.columns + column] = value
              }
            }
            row += run.count
          }
        }
      }
    }
    return (tensor(keys(layer: layer)), tensor(values(layer: layer)))
  }

  /// The position of a row of the view in its sequence.
  ///
  /// - Precondition: the sequence is one of the view's.
  package func position(sequence: Int, row: Int) -> Int {
    row < sequences[sequence].keptRows ? row : row + sequences[sequence].skipped
  }
}

extension CachedRows {
  fileprivate func float(page: Int, head: Int, row: Int, column: Int) -> Float {
    let base = self.row(page: page, head: head, row: row)
    switch type {
    case .float32: return base.load(fromByteOffset: 4 * column, as: Float.self)
    case .bfloat16:
      return Float(BFloat16(bitPattern: base.load(fromByteOffset: 2 * column, as: UInt16.self)))
    case .float16:
      let bits = base.load(fromByteOffset: 2 * column, as: UInt16.self)
      return Float(Float16(bitPattern: bits))
    case .int8:
      let scale = scale(page: page, head: head, row: row)?.pointee ?? .nan
      return scale * Float(base.load(fromByteOffset: column, as: Int8.self))
    case .planes:
      let scale = scale(page: page, head: head, row: row)?.pointee ?? .nan
      let high = base.load(fromByteOffset: column, as: Int8.self)
      let low = base.load(fromByteOffset: lowDistance + column, as: Int8.self)
      // Both steps are exact but for the product's rounding: 16 bits fit a Float.
      return scale * (Float(high) + Float(low) / 256)
    case .int4:
      let (block, place) = column.quotientAndRemainder(dividingBy: Int(CAttentionKernels_i4_columns))
      let scaled = base + block * Int(CAttentionKernels_i4_bytes)
      let pair = scaled.load(fromByteOffset: 4 + place % 16, as: UInt8.self)
      // The half in question to the upper four bits, and down again with its sign.
      let integer = Int8(bitPattern: place < 16 ? pair << 4 : pair & 0xF0) >> 4
      return scaled.load(as: Float.self) * Float(integer)
    }
  }
}
