/// Checked keys and values: how many there are, and where their rows lie.
struct KeyValueSources {
  let sizes: KeyValueSizes
  let keys: KeyValueRows
  let values: KeyValueRows
  /// Arguments and shapes for messages: those of the keys, of the values, and of what counts the sequences.
  let given: (keys: GivenArgument, values: GivenArgument, batch: GivenArgument)
  /// What values lack beside keys that are right: said only after keys were held against queries.
  var valuesRefusal: AttentionError?
}

/// The sizes of keys and values.
struct KeyValueSizes {
  let batch: Int
  let heads: Int
  /// `Tk`: the rows of tensors; the longest sequence of packed ones and of pages; the sum over joined parts.
  let count: Int
  /// `D`
  let depth: Int
  /// `Dv`
  let width: Int
}

/// An argument as the caller gave it, for messages.
struct GivenArgument: Sendable {
  let name: String
  let shape: Shape

  func refused(_ expected: String) -> AttentionError {
    AttentionError(name, "shape \(shape) given, expected \(expected)")
  }
}

extension KeyValues {
  /// Whether all sequences have as many keys as the tensors have rows.
  var fillsTensors: Bool {
    switch storage {
    case .tensors(let tensors): tensors.lengths == nil
    case .packed, .pages, .cached: false
    case .joined(let parts): parts.allSatisfy(\.fillsTensors)
    case .moved(let moved): moved.base.fillsTensors && moved.start.common != nil
    }
  }

  /// How many keys a sequence has. Lengths were checked by ``sources()``.
  func length(_ sequence: Int) -> Int {
    switch storage {
    case .tensors(let tensors): tensors.lengths?[sequence] ?? tensors.keys.shape[2]
    case .packed(let packed): packed.lengths[sequence]
    case .pages(let pages): pages.lengths[sequence]
    case .joined(let parts): parts.reduce(0) { $0 + $1.length(sequence) }
    case .cached(let cached): cached.view.sequences[sequence].rowCount
    case .moved(let moved): moved.base.length(sequence)
    }
  }

  /// Which positions the keys of a sequence stand at.
  func positions(_ sequence: Int) -> KeyPositions {
    switch storage {
    case .tensors, .packed, .pages, .joined: return KeyPositions()
    case .cached(let cached):
      let rows = cached.view.sequences[sequence]
      return rows.skipped == 0 ? KeyPositions() : KeyPositions(kept: rows.keptRows, skipped: rows.skipped)
    case .moved(let moved): return KeyPositions(skipped: moved.start.of(sequence))
    }
  }

  /// What a sequence covers, before queries have their places.
  func extent(_ sequence: Int, queryStart: Int = 0, queryCount: Int) -> SequenceExtent {
    SequenceExtent(
      queryStart: queryStart, queryCount: queryCount, keyCount: length(sequence),
      positions: positions(sequence))
  }

  /// Checks keys and values against each other and their lengths against them, and finds the rows.
  ///
  /// What they have to be beside the queries is checked with those.
  func sources() throws(AttentionError) -> KeyValueSources {
    switch storage {
    case .tensors(let tensors): try tensors.sources()
    case .packed(let packed): try packed.sources()
    case .pages(let pages): try pages.sources()
    case .joined(let parts): try Self.joined(parts)
    case .cached(let cached): cached.sources()
    case .moved(let moved): try moved.sources()
    }
  }

  private static func joined(_ parts: [KeyValues]) throws(AttentionError) -> KeyValueSources {
    var sources: [KeyValueSources] = []
    for (index, part) in parts.enumerated() {
      do throws(AttentionError) {
        let next = try part.sources()
        if let refusal = next.valuesRefusal { throw refusal }
        if case .moved = part.storage {
          throw AttentionError(
            "keyValues",
            "keys that start at a position of their own given, expected parts that follow each other")
        }
        // Tensors have no gaps, and without elements any number of sequences.
        for sequence in 0..<(part.fillsTensors ? 0 : next.sizes.batch)
        where part.positions(sequence).skipped > 0 {
          throw AttentionError(
            "keyValues",
            "a ring that has overwritten rows of sequence \(sequence) given, expected parts without gaps")
        }
        if let first = sources.first { try check(next, beside: first) }
        sources.append(next)
      } catch {
        throw AttentionError(error.kind, "keyValues", "part \(index): \(error)")
      }
    }
    guard let first = sources.first else {
      throw AttentionError("keyValues", "no parts to join given, expected at least one")
    }
    var count = 0
    for part in sources {
      let (sum, overflow) = count.addingReportingOverflow(part.sizes.count)
      guard !overflow else { throw AttentionError("keyValues", "more positions given than an Int counts") }
      count = sum
    }
    let sizes = KeyValueSizes(
      batch: first.sizes.batch, heads: first.sizes.heads, count: count, depth: first.sizes.depth,
      width: first.sizes.width)
    let joined = JoinedRows.Ends(parts, batch: sizes.batch)
    let given = GivenArgument(name: "keyValues", shape: [sizes.batch, sizes.heads, count, sizes.depth])
    return KeyValueSources(
      sizes: sizes,
      keys: .joined(JoinedRows(parts: sources.map(\.keys), ends: joined)),
      values: .joined(JoinedRows(parts: sources.map(\.values), ends: joined)),
      given: (
        given, GivenArgument(name: "keyValues", shape: [sizes.batch, sizes.heads, count, sizes.width]), given
      ))
  }

  private static func check(
    _ part: KeyValueSources, beside first: KeyValueSources
  ) throws(AttentionError) {
    let (sizes, expected) = (part.sizes, first.sizes)
    guard sizes.batch == expected.batch else {
      throw part.given.batch.refused("\(expected.batch) sequences as in part 0")
    }
    guard sizes.heads == expected.heads, sizes.depth == expected.depth else {
      throw part.given.keys.refused("\(expected.heads) heads of width \(expected.depth) as in part 0")
    }
    guard sizes.width == expected.width else {
      throw part.given.values.refused("the width \(expected.width) of part 0")
    }
    guard part.keys.type == first.keys.type, part.values.type == first.values.type else {
      throw AttentionError(
        part.given.keys.name,
        "\(part.keys.type) keys and \(part.values.type) values given, expected \(first.keys.type) and \(first.values.type) as in part 0"
      )
    }
  }
}

extension KeyValues.Tensors {
  fileprivate func sources() throws(AttentionError) -> KeyValueSources {
    let given = (
      keys: GivenArgument(name: "keys", shape: keys.shape),
      values: GivenArgument(name: "values", shape: values.shape)
    )
    guard keys.shape.count == 4 else { throw given.keys.refused("[B, Hkv, Tk, D]") }
    guard values.shape.count == 4 else { throw given.values.refused("[B, Hkv, Tk, Dv]") }
    try keys.check(given.keys)
    try values.check(given.values)
    let shape = keys.shape
    let fits = values.shape[0] == shape[0] && values.shape[1] == shape[1] && values.shape[2] == shape[2]
    if let lengths { try checkLengths(lengths, count: shape[0], most: shape[2], of: "keys \(shape)") }
    return KeyValueSources(
      sizes: KeyValueSizes(
        batch: shape[0], heads: shape[1], count: shape[2], depth: shape[3], width: values.shape[3]),
      keys: .strided(RowOperand(keys, .batched)),
      values: .strided(RowOperand(values, .batched)),
      given: (given.keys, given.values, given.keys),
      valuesRefusal: fits
        ? nil : given.values.refused("[\(shape[0]), \(shape[1]), \(shape[2]), Dv] to match keys \(shape)"))
  }
}

extension KeyValues.Packed {
  fileprivate func sources() throws(AttentionError) -> KeyValueSources {
    let given = (
      keys: GivenArgument(name: "packedKeys", shape: keys.shape),
      values: GivenArgument(name: "values", shape: values.shape)
    )
    guard keys.shape.count == 3 else { throw given.keys.refused("[total, Hkv, D]") }
    guard values.shape.count == 3 else { throw given.values.refused("[total, Hkv, Dv]") }
    try keys.check(given.keys)
    try values.check(given.values)
    guard values.shape[0] == keys.shape[0], values.shape[1] == keys.shape[1] else {
      throw given.values.refused("[\(keys.shape[0]), \(keys.shape[1]), Dv] to match packedKeys \(keys.shape)")
    }
    try checkPackedLengths(lengths, rows: keys.shape[0], of: "packedKeys \(keys.shape)")
    // Not a literal: its array would be allocated for each call.
    let batch = Shape(repeating: lengths.count, count: 1)
    return KeyValueSources(
      sizes: KeyValueSizes(
        batch: lengths.count, heads: keys.shape[1], count: lengths.max() ?? 0, depth: keys.shape[2],
        width: values.shape[2]),
      keys: .packed(PackedRows(rows: RowOperand(keys, .packed), starts: starts)),
      values: .packed(PackedRows(rows: RowOperand(values, .packed), starts: starts)),
      given: (given.keys, given.values, GivenArgument(name: "lengths", shape: batch)))
  }
}

extension KeyValues.Pages {
  fileprivate func sources() throws(AttentionError) -> KeyValueSources {
    let given = (
      keys: GivenArgument(name: "keyPages", shape: keys.shape),
      values: GivenArgument(name: "valuePages", shape: values.shape),
      table: GivenArgument(name: "pageTable", shape: table.shape)
    )
    let shape = keys.shape
    guard shape.count == 4 else { throw given.keys.refused("[pages, pageSize, Hkv, D]") }
    guard values.shape.count == 4, values.shape[0] == shape[0], values.shape[1] == shape[1],
      values.shape[2] == shape[2]
    else {
      throw given.values.refused("[\(shape[0]), \(shape[1]), \(shape[2]), Dv] to match keyPages \(shape)")
    }
    try keys.check(given.keys)
    try values.check(given.values)
    guard table.rank == 2 else { throw given.table.refused("[B, pages of a sequence]") }
    let (capacity, overflow) = table.shape[1].multipliedReportingOverflow(by: shape[1])
    guard !overflow else {
      throw given.table.refused("at most \(Int.max / max(1, shape[1])) pages of \(shape[1]) positions")
    }
    try checkLengths(
      lengths, count: table.shape[0], most: capacity,
      of: "pageTable \(table.shape) with pages of \(shape[1])")
    try checkTable(pages: shape[0], pageSize: shape[1])
    let pages = PageTable(
      base: UnsafeRawPointer(table.unsafeBase), rowStride: table.strides[0], columnStride: table.strides[1],
      pageSize: shape[1])
    return KeyValueSources(
      sizes: KeyValueSizes(
        batch: table.shape[0], heads: shape[2], count: lengths.max() ?? 0, depth: shape[3],
        width: values.shape[3]),
      keys: .paged(PagedRows(pages: RowOperand(keys, .paged), table: pages)),
      values: .paged(PagedRows(pages: RowOperand(values, .paged), table: pages)),
      given: (given.keys, given.values, given.table))
  }

  /// Throws where a page that a sequence uses does not exist.
  private func checkTable(pages: Int, pageSize: Int) throws(AttentionError) {
    if pageSize == 0 { return }
    let (base, strides) = (table.unsafeBase, table.strides)
    for (sequence, length) in lengths.enumerated() {
      for place in 0..<(length + pageSize - 1) / pageSize {
        let number = Int(base[sequence &* strides[0] &+ place &* strides[1]])
        guard number >= 0, number < pages else {
          throw AttentionError(
            "pageTable", "page \(number) at [\(sequence), \(place)] given, expected 0..<\(pages)")
        }
      }
    }
  }
}

extension KeyValues.Cached {
  /// All of it was checked when the pool and the view were made.
  fileprivate func sources() -> KeyValueSources {
    let (pool, count) = (view.pool, view.sequenceCount)
    var longest = 0
    for sequence in 0..<count { longest = max(longest, view.sequences[sequence].rowCount) }
    let sizes = KeyValueSizes(
      batch: count, heads: pool.heads, count: longest, depth: pool.depth, width: pool.width)
    func given(_ columns: Int) -> GivenArgument {
      GivenArgument(name: "keyValues", shape: [count, pool.heads, longest, columns])
    }
    return KeyValueSources(
      sizes: sizes, keys: .cached(CachedSource(view.keys(layer: layer), view)),
      values: .cached(CachedSource(view.values(layer: layer), view)),
      given: (given(pool.depth), given(pool.width), given(pool.depth)))
  }
}
