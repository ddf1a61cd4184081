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
    for tensor in tensors { try checkIntegers(tensor, argument) }
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

  /// Kernels rely on what `write` makes of rows: finite scales, and integers that have a negative.
  private func checkIntegers(_ tensor: SavedCache.Rows, _ argument: String) throws(AttentionError) {
    let (scalesAreFine, integersAreFine) = withBytes(of: tensor) { bytes in
      func isFine(_ offset: Int) -> Bool {
        let scale = bytes.loadUnaligned(fromByteOffset: offset, as: Float.self)
        return scale >= 0 && scale.isFinite
      }
      if tensor.isScales { return (stride(from: 0, to: bytes.count, by: 4).allSatisfy(isFine), true) }
      switch tensor.part.type {
      case .float32, .bfloat16, .float16: return (true, true)
      case .int8: return (true, !bytes.contains(0x80))
      case .int4:
        let blocks = stride(from: 0, to: bytes.count, by: KeyValueType.int4.rowBytes(columns: 1))
        return (
          blocks.allSatisfy(isFine),
          blocks.allSatisfy { bytes[$0 + 4..<$0 + 20].allSatisfy { $0 & 0x0F != 8 && $0 & 0xF0 != 0x80 } }
        )
      }
    }
    guard scalesAreFine else {
      throw AttentionError(
        argument, "tensor \(tensor.name): a scale that is negative, infinite or NaN given, expected others")
    }
    guard integersAreFine else {
      throw AttentionError(
        argument,
        "tensor \(tensor.name): \(tensor.part.type == .int8 ? -128 : -8) given, expected integers from \(tensor.part.type == .int8 ? -127 : -7) on"
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
