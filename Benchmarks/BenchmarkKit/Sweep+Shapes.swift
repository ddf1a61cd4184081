/// A shape of a sweep, and how many threads compute it.
package struct SweptShape: Sendable {
  /// The base with the sweep's values, and a name that says them.
  package let shape: BenchmarkShape
  /// nil where the sweep does not say.
  package let threads: Int?
}

extension Sweep {
  /// Every combination of the values in place of the base's, the first field changing least often.
  ///
  /// What was equal in the base and is not swept itself stays equal: keys to queries, value heads to query heads, the values' width to that
  /// of queries. The base's window is only kept with a causal mask.
  ///
  /// - Throws: where a combination is no shape that this machine could hold, with its name.
  package func shapes(of base: BenchmarkShape, memoryLimit: Double = ShapeFile.physicalMemory)
    throws(BenchmarkError) -> [SweptShape]
  {
    var combinations: [[(field: SweepField, value: SweepValue)]] = [[]]
    for (field, values) in fields {
      combinations = combinations.flatMap { combination in values.map { combination + [(field, $0)] } }
    }
    var shapes: [SweptShape] = []
    for combination in combinations {
      var record = base.record
      (record.usefulFlops, record.compareWith) = (nil, nil)
      record.name = ([base.name] + combination.map { "\($0.field.rawValue)=\($0.value)" }).joined(
        separator: "+")
      var threads: Int?
      for (field, value) in combination {
        if case (.threads, .count(let count)) = (field, value) {
          threads = count
        } else {
          record.set(field, value)
        }
      }
      record.follow(base.sizes, swept: fields.map(\.field))
      shapes.append(SweptShape(shape: try BenchmarkShape(record, memoryLimit: memoryLimit), threads: threads))
    }
    return shapes
  }
}

extension ShapeRecord {
  fileprivate mutating func set(_ field: SweepField, _ value: SweepValue) {
    switch (field, value) {
    case (.queries, .count(let count)): queries = count
    case (.keys, .count(let count)): keys = count
    case (.batch, .count(let count)): batch = count
    case (.queryHeads, .count(let count)): queryHeads = count
    case (.keyValueHeads, .count(let count)): keyValueHeads = count
    case (.headDim, .count(let count)): headDim = count
    case (.valueDim, .count(let count)): valueDim = count
    case (.window, .count(let count)): leftWindowSize = count
    case (.window, .word): leftWindowSize = nil
    case (.mask, .word(let word)): mask = word
    case (.threads, _), (.mask, .count), (_, .word): preconditionFailure("\(field) is never \(value)")
    }
  }

  fileprivate mutating func follow(_ base: BenchmarkShape.Sizes, swept: [SweepField]) {
    if !swept.contains(.keys), base.keys == base.queries { keys = queries }
    if !swept.contains(.keyValueHeads), base.keyValueHeads == base.queryHeads { keyValueHeads = queryHeads }
    if !swept.contains(.valueDim), base.valueDim == base.headDim { valueDim = headDim }
    if !swept.contains(.window), mask != BenchmarkShape.Mask.Kind.causal.rawValue { leftWindowSize = nil }
  }
}
