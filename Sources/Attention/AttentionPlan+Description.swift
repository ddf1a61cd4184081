import LinearAlgebra

extension AttentionPlan {
  /// Several lines: kernel, tiles, tasks, memory, and the reason of each.
  public var description: String {
    func count(_ number: Int, _ noun: String) -> String { "\(number) \(noun)\(number == 1 ? "" : "s")" }
    let groups = tasks.groups.all
    let sequences = groups.count > 1 ? "longest first" : "of one size"
    let kernels = Set(groups.map(\.tiles.kernel)).subtracting([kernel]).map(\.rawValue).sorted()
    let others = kernels.isEmpty ? "" : "; \(kernels.joined(separator: ", ")) for sequences of other sizes"
    let rules = scoring + (hasSinks ? ["sinks"] : [])
    let memory = isBLAS ? ", beside OpenBLAS's own buffers" : ""
    return """
      kernel     \(kernel.rawValue): \(how) (\(reason)\(others))
      tiles      \(queryTile) query rows × \(keyTile) keys\(edges), \
      \(count(sizes.groupSize, "query head")) of a group stacked as rows
      keys       \(storage)
      scores     in \(accumulatorType)\(rules.isEmpty ? "" : ": \(rules.joined(separator: ", "))")
      tasks      \(taskCount) of \(count(blockCount, "block")) of query rows (\(count(sizes.batch, "sequence")) \(sequences) × \
      \(count(sizes.keyValueHeads, "key/value head")))\(parts), on \(count(threads, "thread"))\(tasks.isSmall ? " (too little work to share)" : "")
      workspace  \(workspaceBytesPerThread) bytes a thread\(memory); bounded for any number of queries and keys
      """
  }

  private var isBLAS: Bool { if case .gemm = tiles { true } else { false } }

  private var how: String {
    switch tiles {
    case .gemm: "CBLAS tiles (OpenBLAS core \(BLASRuntime.coreName)), softmax with \(kernelSet) between them"
    case .fused(let tiles):
      "tiles of \(panelRows) queries with \(kernelSet), products of \(tiles.multipliesPairs ? "bf16 pairs" : "float32")"
    case .decode: "keys and values streamed once for all query heads of a group, with \(kernelSet)"
    }
  }

  private var edges: String {
    if case .gemm(let tiles) = tiles { return " (\(tiles.edgeKeys) where some rows do not see all)" }
    return ""
  }

  private var parts: String {
    if case .decode(let tiles) = tiles, tiles.parts > 1 {
      return ", keys cut into \(tiles.parts) parts of \(tiles.partKeys)"
    }
    return ""
  }

  private var storage: String {
    func how(_ inPlace: Bool) -> String {
      if inPlace { return "read in place" }
      return elementType == accumulatorType
        ? "gathered a tile at a time for their strides"
        : "converted from \(elementType) to \(accumulatorType) a tile at a time"
    }
    switch tiles {
    case .gemm(let tiles):
      let transposed =
        tiles.transposesKeys ? ", transposed for OpenBLAS's small-matrix kernels" : ""
      return "\(how(readsInPlace.keys))\(transposed); values \(how(readsInPlace.values))"
    case .fused(let tiles) where tiles.multipliesPairs:
      return "read as they are; values paired a tile at a time"
    case .fused: return "\(how(readsInPlace.keys)); values \(how(readsInPlace.values))"
    case .decode:
      return
        "read as they are, converted in registers, gathered where columns are not neighbours; values likewise"
    }
  }
}
