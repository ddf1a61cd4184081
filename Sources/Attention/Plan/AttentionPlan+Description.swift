import LinearAlgebra

extension AttentionPlan {
  /// Several lines: kernel, tiles, tasks, memory, and the reason of each.
  public var description: String {
    func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
    let (problem, tasks) = (call.problem, call.tasks)
    let sizes = problem.sizes
    let groups = tasks.groups.all
    let blockCount = groups.reduce(0) { $0 + $1.blockCount }
    let takesTurns = groups.contains(where: \.tiles.isStreamed) && !groups.allSatisfy(\.tiles.isStreamed)
    let order = takesTurns ? "longest first, streamed and computed ones in turns" : "longest first"
    let sequences = groups.count > 1 ? order : "of one size"
    let kernels = Set(groups.map(\.tiles.kernel)).subtracting([kernel]).map(\.rawValue).sorted()
    let others = kernels.isEmpty ? "" : "; \(kernels.joined(separator: ", ")) for sequences of other sizes"
    let rules = problem.scoring.names + (problem.sinks == nil ? [] : ["sinks"])
    let memory = isBLAS ? ", beside OpenBLAS's own buffers" : ""
    return """
      kernel     \(kernel.rawValue): \(how) (\(reason)\(others))
      tiles      \(queryTile) query rows × \(keyTile) keys\(edges), \
      \(count(sizes.groupSize, "query head")) of a group stacked as rows
      keys       \(storage)
      scores     in \(problem.accumulatorType)\(rules.isEmpty ? "" : ": \(rules.joined(separator: ", "))")
      tasks      \(taskCount) of \(count(blockCount, "block")) of query rows (\(count(sizes.batch, "sequence")) \(sequences) × \
      \(count(sizes.keyValueHeads, "key/value head")))\(parts), on \(count(threads, "thread"))\(tasks.isSmall ? " (too little work to share)" : "")
      workspace  \(workspaceBytesPerThread) bytes a thread\(memory)\(partialBytes == 0 ? "" : ", and \(partialBytes) for parts")
      """
  }

  private var isBLAS: Bool { if case .gemm = tiles { true } else { false } }

  private var how: String {
    switch tiles {
    case .gemm:
      "CBLAS tiles (OpenBLAS core \(BLASRuntime.coreName)), softmax with \(call.variant.setName) between them"
    case .fused(let tiles):
      "tiles of \(call.variant.kernels.pointee.panel_rows) queries with \(call.variant.setName), products of \(tiles.multipliesPairs ? "bf16 pairs" : "float32")"
    case .decode: "keys and values streamed once for all query heads of a group, with \(call.variant.setName)"
    }
  }

  private var edges: String {
    if case .gemm(let tiles) = tiles { return " (\(tiles.edgeKeys) where some rows do not see all)" }
    return ""
  }

  private var parts: String {
    guard case .decode(let tiles) = tiles, tiles.parts > 1 else { return "" }
    let cut = ", keys cut into \(tiles.parts) parts of \(tiles.partKeys)"
    guard case .many(_, let parts) = call.tasks.groups else { return cut }
    let shared = parts.pieces.count
    return shared == 0 ? cut : cut + ", \(shared) of them read once for several sequences"
  }

  private var storage: String {
    let problem = call.problem
    let columns = (keys: problem.sizes.headDimension, values: problem.sizes.valueDimension)
    switch tiles {
    case .gemm(let tiles):
      let transposed =
        tiles.transposesKeys ? ", transposed for OpenBLAS's small-matrix kernels" : ""
      return
        "\(how(problem.keys, columns.keys))\(transposed); values \(how(problem.values, columns.values))"
    case .fused(let tiles) where tiles.multipliesPairs:
      return "\(asPairs(problem.keys)); values \(asPairs(problem.values)), paired a tile at a time"
    case .fused: return "\(how(problem.keys, columns.keys)); values \(how(problem.values, columns.values))"
    case .decode:
      return
        "\(problem.keys.type), \(multiplied(problem.keys.type)); values \(problem.values.type), converted in registers"
    }
  }

  /// How streamed keys meet queries, unless these need the exact form.
  private func multiplied(_ keys: RowStorage) -> String {
    switch keys {
    case .int8: "read as they are, multiplied by queries of 16 bits"
    case .numbers(.bfloat16)
    where call.problem.elementType == .bfloat16 && call.variant.kernels.streamDots != nil:
      "read as they are, multiplied as pairs"
    case .planes: "both planes brought to float32 some rows at a time"
    case .numbers, .int4: "read as they are, converted in registers"
    }
  }

  /// How rows become words of bfloat16.
  private func asPairs(_ rows: KeyValueRows) -> String {
    switch rows.type {
    case .numbers: "read as they are"
    case .int8, .int4, .planes: "converted from \(rows.type) to bfloat16 a tile at a time"
    }
  }

  /// How rows become operands of products.
  private func how(_ rows: KeyValueRows, _ columns: Int) -> String {
    let accumulator = call.problem.accumulatorType.storage
    if rows.isReadInPlace(accumulator, columns: columns) { return "read in place" }
    return rows.type == .numbers(accumulator)
      ? "gathered a tile at a time"
      : "converted from \(rows.type) to \(accumulator) a tile at a time"
  }
}
