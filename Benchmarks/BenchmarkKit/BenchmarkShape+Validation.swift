/// A shape as a file spells it: nothing checked yet but the types.
package struct ShapeRecord: Decodable {
  var name: String
  var batch: Int
  var queryHeads: Int
  var keyValueHeads: Int
  var queries: Int
  var keys: Int
  var headDim: Int
  var valueDim: Int
  var mask: String
  var keyLengths: [Int]?
  var leftWindowSize: Int?
  var usefulFlops: Double?
  var why: String?

  enum CodingKeys: String, CodingKey, CaseIterable {
    case name, batch, queries, keys, mask, why
    case queryHeads = "query_heads"
    case keyValueHeads = "key_value_heads"
    case headDim = "head_dim"
    case valueDim = "value_dim"
    case keyLengths = "key_lengths"
    case leftWindowSize = "left_window_size"
    case usefulFlops = "useful_flops"
  }

  /// Tensors `[B, Hq, Tq, D]`, `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]` that exist, without a mask.
  ///
  /// - Precondition: four axes each.
  package init(name: String, queries: [Int], keys: [Int], values: [Int], why: String) {
    precondition(
      [queries, keys, values].allSatisfy { $0.count == 4 }, "queries, keys and values have four axes")
    self.name = name
    batch = queries[0]
    queryHeads = queries[1]
    keyValueHeads = keys[1]
    self.queries = queries[2]
    self.keys = keys[2]
    headDim = queries[3]
    valueDim = values[3]
    mask = BenchmarkShape.Mask.none.rawValue
    self.why = why
  }
}

extension BenchmarkShape {
  /// More than this in one call would take half a minute on a fast machine: a mistake, or a trap.
  static var largestUsefulFlops: Double { 1e13 }

  /// A shape with these sizes.
  ///
  /// - Throws: ``BenchmarkError`` that names the field, where a size is not positive, heads do not divide, the mask and its
  ///   fields do not fit, the stated work is not what the mask gives, or the tensors do not fit in `memoryLimit` bytes.
  package init(_ record: ShapeRecord, memoryLimit: Double = ShapeFile.physicalMemory) throws(BenchmarkError) {
    try Self.checkName(record.name)
    guard let mask = Mask(rawValue: record.mask) else {
      let known = Mask.allCases.map(\.rawValue).joined(separator: ", ")
      throw BenchmarkError("shape \(record.name): mask is \(quoted(record.mask)), expected one of \(known)")
    }
    self.init(
      name: record.name, batch: record.batch, queryHeads: record.queryHeads,
      keyValueHeads: record.keyValueHeads, queries: record.queries, keys: record.keys,
      headDim: record.headDim, valueDim: record.valueDim, mask: mask, keyLengths: record.keyLengths,
      leftWindowSize: record.leftWindowSize, why: record.why ?? "")
    try checkSizes(memoryLimit: memoryLimit)
    try checkMask()
    try checkWork(stated: record.usefulFlops)
  }

  private static func checkName(_ name: String) throws(BenchmarkError) {
    // Names are typed after --only, with commas between, and stand in table cells as they are.
    let isPlain = name.utf8.allSatisfy { byte in
      switch UInt8(ascii: "a")...UInt8(ascii: "z") ~= (byte | 0x20) {
      case true: true
      case false: (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "._-".utf8.contains(byte)
      }
    }
    guard isPlain, 1...64 ~= name.utf8.count else {
      throw BenchmarkError("name is \(quoted(name)), expected 1 to 64 letters, digits, '.', '_' and '-'")
    }
  }

  private func checkSizes(memoryLimit: Double) throws(BenchmarkError) {
    let sizes = [
      ("batch", batch), ("query_heads", queryHeads), ("key_value_heads", keyValueHeads), ("queries", queries),
      ("keys", keys), ("head_dim", headDim), ("value_dim", valueDim),
    ]
    for (field, size) in sizes where size < 1 || size > Int(Int32.max) {
      throw BenchmarkError("shape \(name): \(field) is \(size), expected 1 to \(Int32.max)")
    }
    guard queryHeads.isMultiple(of: keyValueHeads) else {
      throw BenchmarkError(
        "shape \(name): query_heads is \(queryHeads), expected a multiple of key_value_heads, \(keyValueHeads)"
      )
    }
    let bytes = tensorBytes(elementBytes: 4)
    guard bytes <= memoryLimit else {
      throw BenchmarkError(
        "shape \(name): its tensors take \(gibibytes(bytes)) in Float32, this machine has \(gibibytes(memoryLimit))"
      )
    }
  }

  private func checkMask() throws(BenchmarkError) {
    guard (mask == .lengths) == (keyLengths != nil) else {
      throw BenchmarkError("shape \(name): key_lengths and mask \"lengths\" belong together")
    }
    if let keyLengths {
      guard keyLengths.count == batch else {
        throw BenchmarkError(
          "shape \(name): key_lengths has \(keyLengths.count) entries, expected batch, \(batch)")
      }
      if let wrong = keyLengths.first(where: { $0 < 0 || $0 > keys }) {
        throw BenchmarkError("shape \(name): key_lengths has \(wrong), expected 0 to \(keys)")
      }
    }
    if let leftWindowSize {
      guard mask == .causal, leftWindowSize >= 0 else {
        throw BenchmarkError(
          "shape \(name): left_window_size is \(leftWindowSize), expected 0 or more, with mask \"causal\"")
      }
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
