extension BenchmarkShape {
  /// Letters of a name: those of a sweep say all its values, and their base.
  static var longestName: Int { 256 }

  /// More than this in one call would take half a minute on a fast machine: a mistake, or a trap.
  static var largestUsefulFlops: Double { 1e13 }

  /// A shape with these sizes.
  ///
  /// - Throws: ``BenchmarkError`` that names the field, where a size is not positive, heads do not divide, the mask, the layout and
  ///   their fields do not fit, the stated work is not what the mask gives, or the tensors do not fit in `memoryLimit` bytes.
  package init(_ record: ShapeRecord, memoryLimit: Double = ShapeFile.physicalMemory) throws(BenchmarkError) {
    try Self.checkName(record.name)
    try self.init(unchecked: record)
    try checkSizes()
    try checkMask()
    if storage.layout == .packed { try checkPacking(queryLengths: record.queryLengths) }
    try checkSoftcap()
    try checkMemory(limit: memoryLimit)
    try checkWork(stated: record.usefulFlops)
  }

  private static func checkName(_ name: String) throws(BenchmarkError) {
    // Names are typed after --only, with commas between, and stand in table cells as they are.
    let isPlain = name.allSatisfy { ($0.isASCII && ($0.isLetter || $0.isNumber)) || "._-+=".contains($0) }
    guard isPlain, 1...longestName ~= name.utf8.count else {
      throw BenchmarkError(
        "name is \(quoted(name)), expected 1 to \(longestName) letters, digits, '.', '_', '-', '+' and '='")
    }
  }

  private func checkSizes() throws(BenchmarkError) {
    let fields = [
      ("batch", sizes.batch), ("query_heads", sizes.queryHeads), ("key_value_heads", sizes.keyValueHeads),
      ("queries", sizes.queries), ("keys", sizes.keys), ("head_dim", sizes.headDim),
      ("value_dim", sizes.valueDim),
    ]
    for (field, size) in fields where size < 1 || size > Int(Int32.max) {
      throw BenchmarkError("shape \(name): \(field) is \(size), expected 1 to \(Int32.max)")
    }
    guard sizes.queryHeads.isMultiple(of: sizes.keyValueHeads) else {
      throw BenchmarkError(
        "shape \(name): query_heads is \(sizes.queryHeads), expected a multiple of key_value_heads, \(sizes.keyValueHeads)"
      )
    }
  }

  private func checkMask() throws(BenchmarkError) {
    guard (mask.kind == .none) == (storage.keyLengths == nil) || mask.kind == .causal else {
      throw BenchmarkError(
        "shape \(name): key_lengths and mask \"lengths\" belong together; mask \"causal\" may have them")
    }
    for (field, lengths, size) in [
      ("key_lengths", storage.keyLengths, sizes.keys),
      ("query_lengths", storage.queryLengths, sizes.queries),
    ] {
      guard let lengths else { continue }
      guard lengths.count == sizes.batch else {
        throw BenchmarkError(
          "shape \(name): \(field) has \(lengths.count) entries, expected batch, \(sizes.batch)")
      }
      if let wrong = lengths.first(where: { $0 < 0 || $0 > size }) {
        throw BenchmarkError("shape \(name): \(field) has \(wrong), expected 0 to \(size)")
      }
    }
    if let leftWindowSize = mask.leftWindowSize {
      guard mask.kind == .causal, leftWindowSize >= 0 else {
        throw BenchmarkError(
          "shape \(name): left_window_size is \(leftWindowSize), expected 0 or more, with mask \"causal\"")
      }
    }
  }

  private func checkPacking(queryLengths: [Int]?) throws(BenchmarkError) {
    guard storage.keyLengths != nil else {
      throw BenchmarkError("shape \(name): layout \"packed\" needs key_lengths")
    }
    guard queryLengths == nil, sizes.queries == sizes.keys else {
      throw BenchmarkError(
        "shape \(name): layout \"packed\" has as many queries as keys, and takes no query_lengths")
    }
  }

  private func checkSoftcap() throws(BenchmarkError) {
    // Kernels in Float32 multiply by its inverse.
    guard let softcap = scores.softcap,
      !(softcap > 0 && Float(softcap).isNormal && (1 / Float(softcap)).isNormal)
    else {
      return
    }
    throw BenchmarkError(
      "shape \(name): softcap is \(softcap), expected a positive number in Float32's range")
  }

  private func checkMemory(limit: Double) throws(BenchmarkError) {
    let bytes = tensorBytes(elementBytes: 4)
    guard bytes <= limit else {
      throw BenchmarkError(
        "shape \(name): its tensors take \(gibibytes(bytes)) in Float32, this machine has \(gibibytes(limit))"
      )
    }
  }

  private func checkWork(stated: Double?) throws(BenchmarkError) {
    let work = usefulFlops
    guard work > 0 else {
      throw BenchmarkError("shape \(name): no query sees a key, so there is nothing to measure")
    }
    guard work <= Self.largestUsefulFlops else {
      throw BenchmarkError(
        "shape \(name): one call takes \(work) operations, expected at most \(Self.largestUsefulFlops)")
    }
    if let stated, stated != work {
      throw BenchmarkError("shape \(name): useful_flops is \(stated), its mask gives \(work)")
    }
  }
}
