import CAttention

extension CCaller {
  /// A short life of a cache: what fails along the way is left behind as a program would that looks at no code.
  ///
  /// - Returns: the last code that was not 0.
  func cache() throws(FuzzFault) -> attention_status {
    var worst = attention_status(ATTENTION_OK)
    func note(_ status: attention_status) { if Int(status) != ATTENTION_OK { worst = status } }
    var sizes = attention_cache_sizes(
      layers: Int64(input.int(1...2)), heads: Int64(input.int(1...2)), depth: Int64(input.int(1...40)),
      width: Int64(input.int(0...40)), keys: Int32(input.int(0...3)), values: Int32(input.int(0...4)),
      page_size: Int64(input.int(1...5)), pages: Int64(input.int(1...12)))
    if input.chance(1) { sizes.pages = Int64(input.anyInt()) }
    if input.chance(1) { sizes.depth = Int64(input.anyInt()) }
    if input.chance(1) { sizes.keys = Int32(input.int(-1...6)) }
    // Beyond any machine, or small: what lies between would be made, and take the fuzzer's time.
    let isModest = sizes.pages < 1 << 12 && sizes.depth < 1 << 10
    guard isModest || sizes.pages > 1 << 40 || sizes.depth > 1 << 40 else { return run() }
    var cache: OpaquePointer?
    let made = attention_cache_create(&sizes, &cache)
    guard Int(made) == ATTENTION_OK else { return made }
    defer { attention_cache_destroy(cache) }
    var sequences: [OpaquePointer?] = []
    defer { for sequence in sequences { attention_sequence_destroy(sequence) } }
    for _ in 0..<input.int(1...3) {
      var sequence: OpaquePointer?
      note(
        input.chance(2)
          ? attention_sequence_create_ring(
            cache, Int64(input.anyInt()), Int64(input.anyInt()), Int64(input.anyInt()), &sequence)
          : attention_sequence_create(cache, &sequence))
      if sequence != nil { sequences.append(sequence) }
    }
    for _ in 0..<input.int(1...4) where !sequences.isEmpty { note(step(sizes, &sequences)) }
    let free = attention_cache_free_pages(cache)
    try require((0...max(0, sizes.pages)).contains(free), "\(free) free pages of \(sizes.pages)")
    return worst
  }

  /// Appends, or changes a sequence otherwise.
  private func step(_ sizes: attention_cache_sizes, _ sequences: inout [OpaquePointer?]) -> attention_status {
    let index = input.int(0...sequences.count - 1)
    switch input.int(0...7) {
    case 0: return attention_sequence_truncate(sequences[index], Int64(input.anyInt()))
    case 1:
      var fork: OpaquePointer?
      let status = attention_sequence_fork(sequences[index], &fork)
      if fork != nil { sequences.append(fork) }
      return status
    default: return append(sizes, to: sequences)
    }
  }

  private func append(_ sizes: attention_cache_sizes, to sequences: [OpaquePointer?]) -> attention_status {
    let counts = sequences.map { _ in Int64(input.chance(1) ? input.anyInt() : input.int(0...4)) }
    let total = counts.reduce(0) { $0 &+ ((0...64).contains($1) ? $1 : 0) }
    let tokens = list((0..<total).map { _ in Int64(input.int(0...3)) })
    // A list of tokens is as long as the counts say, where they say what can be.
    let areModest = counts.allSatisfy { (Int64.min...64).contains($0) }
    var step: OpaquePointer?
    let made = attention_step_create(
      sequences, Int64(sequences.count), list(counts), areModest && input.chance(4) ? tokens : nil, &step)
    guard Int(made) == ATTENTION_OK else { return made }
    defer { attention_step_destroy(step) }
    guard areModest else { return made }
    var status = made
    let width = sizes.width == 0 ? sizes.depth : sizes.width
    for layer in 0..<Int64(input.chance(1) ? 3 : Int(sizes.layers)) {
      var keys = tensor([Int(total), Int(sizes.heads), Int(sizes.depth)])
      var values = tensor([Int(total), Int(sizes.heads), Int(width)])
      let written = attention_step_write(step, layer, &keys, &values, nil, nil)
      if Int(written) != ATTENTION_OK { status = written }
      var queries = attention_queries()
      queries.tensor = tensor([Int(total), Int(sizes.heads) * 2, Int(sizes.depth)])
      (queries.lengths, queries.length_count) = (list(counts), Int64(counts.count))
      var keyValues = attention_key_values()
      keyValues.source = attention_source(ATTENTION_STEP)
      (keyValues.step, keyValues.layer) = (step, layer)
      var output = tensor([Int(total), Int(sizes.heads) * 2, Int(width)])
      let ran = attention_run(&queries, &keyValues, nil, &output, nil)
      if Int(ran) != ATTENTION_OK { status = ran }
    }
    let ended = attention_step_commit(step)
    return Int(ended) == ATTENTION_OK ? status : ended
  }
}
