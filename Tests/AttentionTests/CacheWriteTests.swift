import Attention
import CAttentionKernels
import TestSupport
import Testing

/// What `write` leaves in pages: rows as they were given, rotated and converted.
@Suite struct CacheWriteTests {
  static let floats: [KeyValueType] = [.float32, .bfloat16, .float16]

  static func random(_ shape: Shape, seed: UInt64) -> Tensor<Float> {
    var random = SplitMix(seed: seed)
    return Tensor(unsafeUninitializedShape: shape) { buffer in
      for index in buffer.indices { buffer[index] = Float(2 * random.unit()) }
    }
  }

  /// What a type makes of numbers, as Floats.
  static func stored(_ rows: Tensor<Float>, _ type: KeyValueType) -> Tensor<Float> {
    switch type {
    case .float32: rows
    case .bfloat16: rows.converted(to: BFloat16.self).converted(to: Float.self)
    case .float16: rows.converted(to: Float16.self).converted(to: Float.self)
    case .int8, .int4, .planes: preconditionFailure("integers have no plain conversion")
    }
  }

  /// Three sequences, of which one begins in the middle of a page and one appends nothing.
  private func check<Element: AttentionElement>(
    _ element: Element.Type, keys: KeyValueType, values: KeyValueType, pageSize: Int,
    rotary: RotaryEmbedding?,
    layout: Layout<Element>?, workers: WorkerPool, long: Int = 13
  ) throws {
    let (layers, heads, depth, width) = (2, 3, 40, 24)
    let pool = try KeyValuePool(
      layers: layers, heads: heads, depth: depth, width: width, keys: keys, values: values,
      pageSize: pageSize, pages: 3 * long / pageSize + 6)
    let sequences = (0..<3).map { _ in pool.makeSequence() }
    let appends = [[3, 0, 1], [long, 0, 5]]
    var before = [0, 0, 0]
    var expected: [[(keys: Tensor<Float>, values: Tensor<Float>)]] = Array(repeating: [], count: 3)
    for (round, counts) in appends.enumerated() {
      let step = try KeyValueStep(sequences, appending: counts)
      for layer in 0..<layers {
        let seed = UInt64(round * 10 + layer)
        let total = counts.reduce(0, +)
        let k = Self.random([total, heads, depth], seed: seed).converted(to: Element.self)
        let v = Self.random([total, heads, width], seed: seed + 100).converted(to: Element.self)
        func laidOut(_ rows: Tensor<Element>) throws -> Tensor<Element> {
          guard let layout else { return rows }
          return try layout.store(rows.expanded(axis: 0)).selected(axis: 0, 0)
        }
        try step.write(
          layer: layer, keys: try laidOut(k), values: try laidOut(v), rotary: rotary, on: workers)
        var first = 0
        for (sequence, count) in counts.enumerated() {
          // [1, Hkv, T, D]
          let own = k.sliced(axis: 0, first..<first + count).permuted(1, 0, 2).expanded(axis: 0)
          var turned: Tensor<Float>
          if keys.rawValue == Element.elementType.rawValue {
            let exact = try rotary?.applied(to: own, positions: .from(before[sequence])) ?? own
            turned = exact.converted(to: Float.self)
          } else {
            turned = own.converted(to: Float.self)
            if let rotary { turned = try rotary.applied(to: turned, positions: .from(before[sequence])) }
          }
          let ownValues = v.sliced(axis: 0, first..<first + count).permuted(1, 0, 2).converted(to: Float.self)
          let rows = (Self.stored(turned.selected(axis: 0, 0), keys), Self.stored(ownValues, values))
          if round == 0 {
            expected[sequence].append(rows)
          } else {
            let old = expected[sequence][layer]
            expected[sequence][layer] = (
              try old.keys.concatenated(with: rows.0, axis: 1),
              try old.values.concatenated(with: rows.1, axis: 1)
            )
          }
          first += count
        }
      }
      try step.commit()
      for (sequence, count) in counts.enumerated() { before[sequence] += count }
    }
    for (sequence, layers) in expected.enumerated() {
      let view = sequences[sequence].view
      for (layer, rows) in layers.enumerated() {
        let found = view.floats(layer: layer, sequence: 0)
        let name =
          "\(element) to \(keys), \(values), pages of \(pageSize), layer \(layer), sequence \(sequence)"
        #expect(found.keys == rows.keys, "\(name)")
        #expect(found.values == rows.values, "\(name)")
      }
    }
  }

  @Test(arguments: floats, floats)
  func rowsAreConvertedAndTurned(keys: KeyValueType, values: KeyValueType) throws {
    let embeddings = [
      nil, try RotaryEmbedding(headDimension: 40, positions: 100),
      try RotaryEmbedding(
        headDimension: 40, positions: 100, pairs: RotaryEmbedding.Pairs(.interleaved, rotaryDimension: 16)),
    ]
    for rotary in embeddings {
      for pageSize in [1, 4, 64] {
        try check(
          Float.self, keys: keys, values: values, pageSize: pageSize, rotary: rotary, layout: nil,
          workers: Pools.one)
        try check(
          BFloat16.self, keys: keys, values: values, pageSize: pageSize, rotary: rotary, layout: nil,
          workers: Pools.one)
        try check(
          Float16.self, keys: keys, values: values, pageSize: pageSize, rotary: rotary, layout: nil,
          workers: Pools.one)
        try check(
          Double.self, keys: keys, values: values, pageSize: pageSize, rotary: rotary, layout: nil,
          workers: Pools.one)
      }
      for layout in Layout<Float>.all {
        try check(
          Float.self, keys: keys, values: values, pageSize: 4, rotary: rotary, layout: layout,
          workers: Pools.one)
      }
      for layout in Layout<BFloat16>.all {
        try check(
          BFloat16.self, keys: keys, values: values, pageSize: 4, rotary: rotary, layout: layout,
          workers: Pools.one)
      }
    }
  }

  @Test(arguments: floats)
  func threadsWriteTheSame(type: KeyValueType) throws {
    let rotary = try RotaryEmbedding(headDimension: 40, positions: 4000)
    try check(
      Float.self, keys: type, values: type, pageSize: 16, rotary: rotary, layout: nil, workers: Pools.three,
      long: 3000)
    try check(
      BFloat16.self, keys: type, values: type, pageSize: 16, rotary: rotary, layout: nil,
      workers: Pools.seven, long: 3000)
  }

  private var quantizes: Bool {
    CAttentionKernels_active().pointee.quantize_i8 != nil
      && CAttentionKernels_active().pointee.quantize_i4 != nil
  }

  /// Each number is within half a step of its scale, which is the largest size of the row's (32 columns') numbers by 127 (7).
  @Test func integersAreTheNearest() throws {
    if !quantizes { return }
    let (heads, depth) = (2, 72)
    let pool = try KeyValuePool(
      layers: 1, heads: heads, depth: depth, keys: .int8, values: .int4, pageSize: 4, pages: 8)
    let sequence = pool.makeSequence()
    let step = try KeyValueStep([sequence], appending: [11])
    let keys = Self.random([11, heads, depth], seed: 5)
    let values = Self.random([11, heads, depth], seed: 6)
    try step.write(layer: 0, keys: keys, values: values)
    try step.commit()
    let found = sequence.view.floats(layer: 0, sequence: 0)
    for token in 0..<11 {
      for head in 0..<heads {
        func size(_ rows: Tensor<Float>, _ columns: Range<Int>) -> Float {
          columns.reduce(0) { max($0, abs(rows[token, head, $1])) }
        }
        for column in 0..<depth {
          let keyStep = size(keys, 0..<depth) / 127
          #expect(abs(found.keys[head, token, column] - keys[token, head, column]) <= keyStep * 0.5001)
          let block = column / 32 * 32
          let valueStep = size(values, block..<min(depth, block + 32)) / 7
          #expect(abs(found.values[head, token, column] - values[token, head, column]) <= valueStep * 0.5001)
        }
      }
    }
  }

  /// Each number is within half a unit, which is the largest size of the row's numbers by 32639.
  @Test func planesAreTheNearest() throws {
    let (heads, depth) = (2, 72)
    let pool = try KeyValuePool(
      layers: 1, heads: heads, depth: depth, keys: .planes, values: .float32, pageSize: 4, pages: 8)
    #expect(pool.bytesPerToken == heads * (2 * depth + 8 + 4 * depth))
    let sequence = pool.makeSequence()
    let step = try KeyValueStep([sequence], appending: [11])
    let keys = Self.random([11, heads, depth], seed: 5)
    try step.write(layer: 0, keys: keys, values: keys)
    try step.commit()
    let found = sequence.view.floats(layer: 0, sequence: 0)
    for token in 0..<11 {
      for head in 0..<heads {
        let unit = (0..<depth).reduce(0) { max($0, abs(keys[token, head, $1])) } / 32639
        for column in 0..<depth {
          #expect(abs(found.keys[head, token, column] - keys[token, head, column]) <= unit * 0.51)
        }
      }
    }
  }

  @Test(arguments: [Float.nan, .infinity])
  func rowsThatHaveNoScaleAreRefused(number: Float) throws {
    if !quantizes { return }
    for (keys, values, argument) in [
      (KeyValueType.int8, KeyValueType.float32, "keys"), (.float32, .int4, "values"),
      (.planes, .float32, "keys"),
    ] {
      let pool = try KeyValuePool(
        layers: 2, heads: 2, depth: 8, keys: keys, values: values, pageSize: 4, pages: 4)
      let step = try KeyValueStep([pool.makeSequence()], appending: [5])
      let good = Self.random([5, 2, 8], seed: 1)
      var bad = good
      bad[3, 1, 2] = number
      try step.write(layer: 0, keys: good, values: good)
      try step.write(layer: 1, keys: good, values: good)
      expectRefusal(of: argument, "token 3") { try step.write(layer: 1, keys: bad, values: bad) }
      // The layer is spoilt, the step is not.
      expectRefusal(of: "step", "layer 1") { try step.commit() }
      try step.write(layer: 1, keys: good, values: good)
      try step.commit()
    }
  }

  @Test func memoryBecomesResidentAsItIsWritten() throws {
    for types in CachedTypes.all {
      let pool = try KeyValuePool(
        layers: 4, heads: 2, depth: 64, keys: types.keys, values: types.values, pageSize: 16, pages: 512)
      #expect(pool.residentBytes == 0)
      #expect(pool.byteCount == pool.bytesPerToken * 512 * 16)
      let sequence = pool.makeSequence()
      let tokens = 4096
      let rows = Self.random([tokens, 2, 64], seed: 9)
      let step = try KeyValueStep([sequence], appending: [tokens])
      for layer in 0..<4 { try step.write(layer: layer, keys: rows, values: rows) }
      try step.commit()
      let expected = Double(pool.bytesPerToken * tokens)
      #expect(
        abs(Double(pool.residentBytes) / expected - 1) < 0.03,
        "\(types): \(pool.residentBytes) of \(expected)")
    }
  }
}
