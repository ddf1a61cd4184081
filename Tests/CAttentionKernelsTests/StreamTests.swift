import CAttentionKernels
import Testing

/// Products and sums of few rows with streams of keys and values. Where numbers are small eighths, every result is exact and has to
/// be equal; where they are anything, bits must not depend on what is computed along.
@Suite struct StreamTests {
  private static let cases = KernelTables.names.flatMap { set in StoredType.allCases.map { (set, $0) } }
  private static let columns =
    Array(1...20) + [23, 31, 32, 33, 40, 47, 63, 64, 65, 72, 80, 96, 111, 127, 128, 129, 139, 140]
  private static let shapes = (1...9).flatMap { rows in (0...70).map { (rows, $0) } }

  @Test(arguments: cases)
  func productsAreExact(set: String, type: StoredType) {
    let scales: [Float] = [1, 0.5, 0, -2]
    for (index, (rows, count)) in Self.shapes.enumerated() {
      let columns = Self.columns[index % Self.columns.count]
      let stream = Stream(type, count: count, columns: columns, gap: index % 3, seed: index)
      let queries = Rows(rows, columns, gap: index % 4, seed: index + 1)
      let scale = scales[index % scales.count]
      let scores = stream.products(set, queries, scale: scale, gap: index % 2)
      let failure = firstFailure(rows, count) { row, key in
        scores[row, key] == scale * (0..<columns).reduce(0) { $0 + queries[row, $1] * stream[key, $1] }
      }
      #expect(failure == nil, "\(set) \(type): \(rows) rows, \(count) keys, \(columns) columns")
    }
  }

  @Test(arguments: cases)
  func sumsAreExact(set: String, type: StoredType) {
    for (index, (rows, count)) in Self.shapes.enumerated() {
      let columns = Self.columns[index % Self.columns.count]
      let stream = Stream(type, count: count, columns: columns, gap: index % 3, seed: index)
      let weights = Rows(rows, count, gap: index % 4, seed: index + 1)
      let before = Rows(rows, columns, gap: index % 2, seed: index + 2)
      let rescale = (0..<rows).map { Float(($0 + index) % 5) / 4 }
      let output = stream.sums(set, weights, rescale: rescale, before)
      let failure = firstFailure(rows, columns) { row, column in
        output[row, column]
          == (0..<count).reduce(rescale[row] * before[row, column]) {
            $0 + weights[row, $1] * stream[$1, column]
          }
      }
      #expect(failure == nil, "\(set) \(type): \(rows) rows, \(count) values, \(columns) columns")
    }
  }

  /// A score is the same bits alone, as one row and one key that lie elsewhere.
  @Test(arguments: cases)
  func aScoreDependsOnItsQueryAndKeyAlone(set: String, type: StoredType) {
    for (index, columns) in Self.columns.enumerated() {
      let (rows, count) = (index % 9 + 1, index * 13 % 70 + 1)
      let stream = Stream(type, count: count, columns: columns, gap: index % 3, seed: index, isExact: false)
      let queries = Rows(rows, columns, gap: index % 4, seed: index + 1, isExact: false)
      let scores = stream.products(set, queries, scale: 0.3, gap: 1)
      let failure = firstFailure(rows, count) { row, key in
        let alone = stream.only(key).products(set, queries.only(row), scale: 0.3, gap: 0)
        return scores[row, key].bitPattern == alone[0, 0].bitPattern
      }
      #expect(failure == nil, "\(set) \(type): \(rows) rows, \(count) keys, \(columns) columns")
    }
  }

  /// An output is the same bits alone.
  @Test(arguments: cases)
  func anOutputDependsOnItsRowAlone(set: String, type: StoredType) {
    for (index, columns) in Self.columns.enumerated() {
      // Beyond 128 values they are more than two parts.
      let (rows, count) = (index % 9 + 1, index * 13 % 150 + 1)
      let stream = Stream(type, count: count, columns: columns, gap: index % 3, seed: index, isExact: false)
      let weights = Rows(rows, count, gap: index % 4, seed: index + 1, isExact: false)
      let before = Rows(rows, columns, gap: 1, seed: index + 2, isExact: false)
      let rescale = (0..<rows).map { 1 / Float($0 + 3) }
      let output = stream.sums(set, weights, rescale: rescale, before)
      let alone = (0..<rows).map {
        stream.sums(set, weights.only($0), rescale: [rescale[$0]], before.only($0))
      }
      let failure = firstFailure(rows, columns) { row, column in
        output[row, column].bitPattern == alone[row][0, column].bitPattern
      }
      #expect(failure == nil, "\(set) \(type): \(rows) rows, \(count) values, \(columns) columns")
    }
  }

  @Test(arguments: cases)
  func whatIsNotFiniteReachesOnlyWhatDependsOnIt(set: String, type: StoredType) {
    for (index, columns) in Self.columns.enumerated() {
      let (rows, count) = (index % 9 + 1, index * 13 % 70 + 1)
      let (badRow, badKey, badColumn) = (index % rows, index * 7 % count, index * 5 % columns)
      for poison in [Float.nan, .infinity] {
        var stream = Stream(type, count: count, columns: columns, gap: 1, seed: index)
        var queries = Rows(rows, columns, gap: 1, seed: index + 1)
        stream[badKey, badColumn] = poison
        var scores = stream.products(set, queries, scale: 1, gap: 0)
        let context = "\(set) \(type): \(rows) rows, \(count) keys, \(columns) columns"
        let ofKey = firstFailure(rows, count) { scores[$0, $1].isFinite == ($1 != badKey) }
        #expect(ofKey == nil, "\(context), \(poison) in key \(badKey)")
        let weights = Rows(rows, count, gap: 0, seed: index + 2)
        let rescale = [Float](repeating: 1, count: rows)
        let output = stream.sums(set, weights, rescale: rescale, Rows(rows, columns, gap: 0, seed: 1))
        let ofValue = firstFailure(rows, columns) { output[$0, $1].isFinite == ($1 != badColumn) }
        #expect(ofValue == nil, "\(context), \(poison) in column \(badColumn)")
        stream[badKey, badColumn] = 1
        queries[badRow, badColumn] = poison
        scores = stream.products(set, queries, scale: 1, gap: 0)
        let ofQuery = firstFailure(rows, count) { scores[$0, $1].isFinite == ($0 != badRow) }
        #expect(ofQuery == nil, "\(context), \(poison) in query \(badRow)")
      }
    }
  }

  /// Scores of an infinite key are infinite where no product is NaN: filling up with zeros adds none.
  @Test(arguments: cases)
  func anInfiniteKeyHasInfiniteScores(set: String, type: StoredType) {
    for columns in Self.columns {
      var stream = Stream(type, count: 9, columns: columns, gap: 0, seed: 3)
      var queries = Rows(3, columns, gap: 0, seed: 4)
      for column in 0..<columns {
        stream[5, column] = -.infinity
        for row in 0..<3 { queries[row, column] = 2 }
      }
      let scores = stream.products(set, queries, scale: 0.5, gap: 0)
      for row in 0..<3 { #expect(scores[row, 5] == -.infinity, "\(set) \(type), \(columns) columns") }
    }
  }
}

/// The first place of a table where what has to hold does not, or nil.
private func firstFailure(_ rows: Int, _ columns: Int, _ holds: (Int, Int) -> Bool) -> [Int]? {
  for row in 0..<rows {
    for column in 0..<columns where !holds(row, column) { return [row, column] }
  }
  return nil
}

/// What keys and values are stored as.
enum StoredType: CaseIterable {
  case f32, f16, bf16

  var size: Int { self == .f32 ? 4 : 2 }

  func bytes(_ x: Float) -> [UInt8] {
    switch self {
    case .f32: return withUnsafeBytes(of: x) { Array($0) }
    case .f16: return withUnsafeBytes(of: Float16(x)) { Array($0) }
    case .bf16: return withUnsafeBytes(of: UInt16(x.bitPattern >> 16 | (x.isNaN ? 0x40 : 0))) { Array($0) }
    }
  }

  func value(_ p: UnsafeRawPointer) -> Float {
    switch self {
    case .f32: return p.loadUnaligned(as: Float.self)
    case .f16: return Float(p.loadUnaligned(as: Float16.self))
    case .bf16: return Float(bitPattern: UInt32(p.loadUnaligned(as: UInt16.self)) << 16)
    }
  }
}

/// Small eighths other than 0, exact in all types as their products' sums are in Float; or numbers with all their bits.
private func numbers(_ count: Int, seed: Int, isExact: Bool) -> [Float] {
  var generator = SystemIndependentGenerator(state: UInt64(seed))
  return (0..<count).map { _ in
    isExact
      ? Float(generator.next() % 63 + 1) / (generator.next() % 2 == 0 ? 8 : -8)
      : Float(Double(generator.next() >> 11) * 0x1p-52 - 1)
  }
}

/// Rows of Float, with NaN between them.
private struct Rows {
  var elements: [Float]
  let count: Int
  let columns: Int
  let stride: Int

  init(_ count: Int, _ columns: Int, gap: Int, seed: Int, isExact: Bool = true) {
    (self.count, self.columns, stride) = (count, columns, columns + gap)
    elements = [Float](repeating: .nan, count: max(1, count * stride))
    let values = numbers(count * columns, seed: seed, isExact: isExact)
    for row in 0..<count {
      for column in 0..<columns { elements[row * stride + column] = values[row * columns + column] }
    }
  }

  subscript(row: Int, column: Int) -> Float {
    get { elements[row * stride + column] }
    set { elements[row * stride + column] = newValue }
  }

  func only(_ row: Int) -> Rows {
    var rows = Rows(1, columns, gap: 0, seed: 0)
    for column in 0..<columns { rows[0, column] = self[row, column] }
    return rows
  }

  /// Nothing was written between the rows.
  var hasGapsLeft: Bool {
    elements.indices.allSatisfy {
      $0 % max(1, stride) < columns || $0 >= count * stride || elements[$0].isNaN
    }
  }
}

/// Rows as they are stored, with NaN between them.
private struct Stream {
  let type: StoredType
  let count: Int
  let columns: Int
  let stride: Int
  private var bytes: [UInt8]

  init(_ type: StoredType, count: Int, columns: Int, gap: Int, seed: Int, isExact: Bool = true) {
    (self.type, self.count, self.columns, stride) = (type, count, columns, (columns + gap) * type.size)
    bytes = (0..<max(1, count * (columns + gap))).flatMap { _ in type.bytes(.nan) }
    let values = numbers(count * columns, seed: seed, isExact: isExact)
    for row in 0..<count {
      for column in 0..<columns { self[row, column] = values[row * columns + column] }
    }
  }

  subscript(row: Int, column: Int) -> Float {
    get { bytes.withUnsafeBytes { type.value($0.baseAddress! + row * stride + column * type.size) } }
    set {
      let start = row * stride + column * type.size
      bytes.replaceSubrange(start..<start + type.size, with: type.bytes(newValue))
    }
  }

  func only(_ row: Int) -> Stream {
    var stream = Stream(type, count: 1, columns: columns, gap: 0, seed: 0)
    for column in 0..<columns { stream[0, column] = self[row, column] }
    return stream
  }

  /// Calls with the stream as the kernels take it, itself as what is read next.
  private func withStream(_ body: (CAttentionKernels_stream) -> Void) {
    bytes.withUnsafeBytes {
      body(
        CAttentionKernels_stream(
          rows: $0.baseAddress, row_stride: stride, count: count, columns: columns, next: $0.baseAddress,
          next_stride: stride, next_count: count / 2))
    }
  }

  func products(_ set: String, _ queries: Rows, scale: Float, gap: Int) -> Rows {
    let kernels = KernelTables.named(set).pointee
    var scores = Rows(queries.count, count, gap: gap, seed: 0)
    scores.elements.withUnsafeMutableBufferPointer { target in
      queries.elements.withUnsafeBufferPointer { queryElements in
        withStream { keys in
          var products = CAttentionKernels_products(
            keys: keys, queries: queryElements.baseAddress, query_stride: queries.stride,
            query_count: queries.count, scale: scale, scores: target.baseAddress, score_stride: count + gap)
          switch type {
          case .f32: kernels.products_from_f32(&products)
          case .f16: kernels.products_from_f16(&products)
          case .bf16: kernels.products_from_bf16(&products)
          }
        }
      }
    }
    #expect(scores.hasGapsLeft, "\(set) \(type), \(queries.count) rows, \(count) keys")
    return scores
  }

  func sums(_ set: String, _ weights: Rows, rescale: [Float], _ before: Rows) -> Rows {
    let kernels = KernelTables.named(set).pointee
    var output = before
    output.elements.withUnsafeMutableBufferPointer { target in
      weights.elements.withUnsafeBufferPointer { weightElements in
        rescale.withUnsafeBufferPointer { rescale in
          withStream { values in
            var sums = CAttentionKernels_sums(
              values: values, weights: weightElements.baseAddress, weight_stride: weights.stride,
              row_count: weights.count, rescale: rescale.baseAddress, output: target.baseAddress,
              output_stride: before.stride)
            switch type {
            case .f32: kernels.sums_from_f32(&sums)
            case .f16: kernels.sums_from_f16(&sums)
            case .bf16: kernels.sums_from_bf16(&sums)
            }
          }
        }
      }
    }
    #expect(output.hasGapsLeft, "\(set) \(type), \(weights.count) rows, \(count) values")
    return output
  }
}
