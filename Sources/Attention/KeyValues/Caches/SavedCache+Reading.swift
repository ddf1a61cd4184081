import TensorFiles

/// A file of a saved sequence that is as a pool can take it: all of it was checked.
struct CheckedCache {
  let file: SafetensorsFile
  let saved: SavedCache
  let tokens: [Int]

  /// - Parameters:
  ///   - file: what to check.
  ///   - argument: what errors call it.
  ///   - layout: the pool's.
  init(_ file: SafetensorsFile, _ argument: String, for layout: CacheLayout) throws(AttentionError) {
    let saved = try SavedCache(file.metadata, argument, for: layout)
    self.file = file
    self.saved = saved
    let tensors = saved.tensors
    for name in file.names where name != SavedCache.tokens && !tensors.contains(where: { $0.name == name }) {
      throw AttentionError(argument, "tensor \(quoted(name)) given, expected no such one in a saved cache")
    }
    for tensor in tensors {
      guard let entry = file[tensor.name], entry.elementType == tensor.elementType,
        entry.shape == tensor.shape
      else {
        let given = file[tensor.name].map { "\($0.elementType) \($0.shape)" } ?? "none"
        throw AttentionError(
          argument,
          "tensor \(tensor.name): \(given) given, expected \(tensor.elementType) \(tensor.shape)")
      }
    }
    let ids = try convertingErrors(of: argument) { () throws(TensorFileError) in
      try file.tensor(SavedCache.tokens, as: Int64.self)
    }
    let mostTokens = saved.ring == nil ? saved.count : 0
    guard ids.rank == 1, ids.count <= mostTokens else {
      throw AttentionError(
        argument, "tokens \(ids.shape) given, expected one axis of at most \(mostTokens)")
    }
    tokens = ids.elements.map { Int($0) }
    try checkSum(argument)
    for tensor in tensors {
      switch tensor.content {
      case .rows: try checkIntegers(tensor, argument)
      case .scales: try checkScales(tensor, argument)
      case .lowBytes: break
      case .lengths: try checkLengths(tensor, argument)
      }
    }
  }

  /// Calls `body` with all bytes of a tensor.
  func withBytes<Result>(of tensor: SavedCache.Rows, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    guard let entry = file[tensor.name] else { preconditionFailure("\(tensor.name) was checked to be there") }
    return file.withBytes(of: entry, body)
  }

  private func checkSum(_ argument: String) throws(AttentionError) {
    var sum = saved.makeChecksum()
    tokens.map(Int64.init).withUnsafeBytes { sum.add($0) }
    for tensor in saved.tensors { withBytes(of: tensor) { sum.add($0) } }
    guard sum.text == file.metadata[SavedCache.checksum] else {
      throw AttentionError(
        argument,
        "checksum \(quoted(file.metadata[SavedCache.checksum] ?? "")) given, expected that of the content, \(sum.text): the file was altered"
      )
    }
  }

  /// Kernels rely on what `write` makes of rows: integers that have a negative, and finite scales.
  private func checkIntegers(_ tensor: SavedCache.Rows, _ argument: String) throws(AttentionError) {
    func refusal(_ least: Int) -> AttentionError {
      AttentionError(
        argument, "tensor \(tensor.name): \(least) given, expected integers from \(least + 1) on")
    }
    switch tensor.part.type {
    case .float32, .bfloat16, .float16: break
    case .int8, .planes:
      if withBytes(of: tensor, { $0.contains(0x80) }) { throw refusal(-128) }
    case .int4:
      let step = KeyValueType.int4.rowBytes(columns: 1)
      try checkScales(tensor, every: step, argument)
      let areFine = withBytes(of: tensor) { bytes in
        stride(from: 0, to: bytes.count, by: step).allSatisfy {
          bytes[$0 + 4..<$0 + 20].allSatisfy { $0 & 0x0F != 8 && $0 & 0xF0 != 0x80 }
        }
      }
      guard areFine else { throw refusal(-8) }
    }
  }

  private func checkScales(
    _ tensor: SavedCache.Rows, every step: Int = 4, _ argument: String
  ) throws(AttentionError) {
    let areFine = withBytes(of: tensor) { bytes in
      stride(from: 0, to: bytes.count, by: step).allSatisfy { offset in
        let scale = bytes.loadUnaligned(fromByteOffset: offset, as: Float.self)
        return scale >= 0 && scale.isFinite
      }
    }
    guard areFine else {
      throw AttentionError(
        argument, "tensor \(tensor.name): a scale that is negative, infinite or NaN given, expected others")
    }
  }

  /// Lengths below those of rows would make bounds of attention that do not hold.
  private func checkLengths(_ lengths: SavedCache.Rows, _ argument: String) throws(AttentionError) {
    func withBytes(_ content: SavedCache.Content, _ body: (UnsafeRawBufferPointer) -> Bool) -> Bool {
      let tensor = saved.tensors.first { $0.content == content && $0.part.type == .planes }
      guard let tensor else { preconditionFailure("lengths without rows") }
      return self.withBytes(of: tensor, body)
    }
    let columns = lengths.part.columns
    let areFine = self.withBytes(of: lengths) { lengths in
      withBytes(.scales) { scales in
        withBytes(.rows) { high in
          withBytes(.lowBytes) { low in
            (0..<lengths.count / 4).allSatisfy { row in
              var (all, rest) = (0, 0)
              for place in row * columns..<(row + 1) * columns {
                let lower = Int(Int8(bitPattern: low[place]))
                let integer = 256 * Int(Int8(bitPattern: high[place])) + lower
                (all, rest) = (all + integer * integer, rest + lower * lower)
              }
              let unit = Double(scales.loadUnaligned(fromByteOffset: 4 * row, as: Float.self)) / 256
              func isFine(_ half: Int, _ squares: Int) -> Bool {
                let bits = lengths.loadUnaligned(fromByteOffset: 4 * row + 2 * half, as: UInt16.self)
                let given = BFloat16(bitPattern: bits).doubleValue
                let isNormal = given == 0 || given >= Double(Float.leastNormalMagnitude)
                return isNormal && given >= unit * Double(squares).squareRoot()
              }
              // As long as `write` makes them beside each other, and twice: of subnormal units no row has its largest integer.
              let isShort = Double(rest) <= 4 * 128 * 128 * Double(columns) / (32639 * 32639) * Double(all)
              // Infinite is what a row may be that is too long for bfloat16, but not what its low bytes hold.
              let bits = lengths.loadUnaligned(fromByteOffset: 4 * row + 2, as: UInt16.self)
              return isShort && bits < 0x7F80 && isFine(0, all) && isFine(1, rest)
            }
          }
        }
      }
    }
    guard areFine else {
      throw AttentionError(
        argument,
        "tensor \(lengths.name): a length given that is no number, below that of its row, or out of proportion"
      )
    }
  }
}

extension SavedCache {
  /// What a file's header says.
  fileprivate init(
    _ text: [String: String], _ argument: String, for layout: CacheLayout
  ) throws(AttentionError) {
    func given(_ key: String) -> String { text[key].map { "\(key) \(quoted($0))" } ?? "no \(key)" }
    let sizes = Self.sizes(of: layout)
    for key in ["format", "version", "layers", "heads", "depth", "width", "keys", "values"]
    where text[key] != sizes[key] {
      let whose = key == "format" || key == "version" ? "" : "the pool's "
      throw AttentionError(argument, "\(given(key)) given, expected \(whose)\(sizes[key] ?? "")")
    }
    func number(_ key: String, most: Int) throws(AttentionError) -> Int {
      // As it is written: neither +1 nor 01.
      guard let value = text[key].flatMap({ Int($0) }), "\(value)" == text[key], 0...most ~= value else {
        throw AttentionError(argument, "\(given(key)) given, expected a number from 0 to \(most)")
      }
      return value
    }
    var ring: RingWindow?
    if text["window"] != nil {
      let most = CacheLayout.mostRows
      do throws(AttentionError) {
        ring = try RingWindow(
          window: number("window", most: most), keepingFirst: number("keepingFirst", most: most),
          longestAppend: number("longestAppend", most: most), pageSize: layout.pageSize)
      } catch {
        throw error.argument == argument ? error : AttentionError(argument, "\(error)")
      }
    }
    let most = ring == nil ? CacheLayout.mostRows : CacheLayout.mostPositions
    try self.init(layout, count: number("count", most: most), ring: ring)
    let expected = metadata
    for key in text.keys.sorted() where expected[key] == nil && key != Self.checksum {
      throw AttentionError(argument, "\(given(key)) given, expected no such text in a saved cache")
    }
  }
}
