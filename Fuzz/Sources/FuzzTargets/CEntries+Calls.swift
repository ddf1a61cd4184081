import CAttention

/// Sizes that fit each other, unless a tensor or a list says otherwise.
private struct CSizes {
  let batch, heads, keyHeads, queries, keys, depth, width: Int

  init(_ input: inout InputBytes) {
    keyHeads = input.int(1...2)
    (batch, heads) = (input.int(0...3), keyHeads * input.int(1...3))
    (queries, keys) = (input.int(0...6), input.int(0...12))
    (depth, width) = (input.int(1...9), input.int(1...9))
  }
}

extension CCaller {
  func run() -> attention_status {
    withCall { queries, keyValues, options, output, sums in
      attention_run(queries, keyValues, options, output, input.chance(4) ? sums : nil)
    }
  }

  func describe() -> attention_status {
    var text = [CChar](repeating: 1, count: 64)
    var length = 0
    let capacity = input.int(0...text.count)
    return text.withUnsafeMutableBufferPointer { text in
      withCall { queries, keyValues, options, _, _ in
        attention_describe(
          queries, keyValues, options, input.chance(6) ? text.baseAddress : nil, capacity, &length)
      }
    }
  }

  private func withCall(
    _ body: (
      UnsafePointer<attention_queries>?, UnsafePointer<attention_key_values>?,
      UnsafePointer<attention_options>?, UnsafePointer<attention_tensor>, UnsafePointer<attention_tensor>
    ) -> attention_status
  ) -> attention_status {
    let sizes = CSizes(&input)
    let isPacked = input.chance(3)
    var queries = attention_queries()
    queries.tensor = tensor(
      isPacked
        ? [sizes.batch * sizes.queries, sizes.heads, sizes.depth]
        : [sizes.batch, sizes.heads, sizes.queries, sizes.depth])
    if isPacked || input.chance(2) {
      (queries.lengths, queries.length_count) = lengths(sizes.batch, sizes.queries)
    }
    var keyValues = self.keyValues(sizes, depth: 0)
    var options = self.options(sizes)
    var output = tensor(
      isPacked
        ? [sizes.batch * sizes.queries, sizes.heads, sizes.width]
        : [sizes.batch, sizes.heads, sizes.queries, sizes.width])
    var sums = tensor(
      isPacked ? [sizes.heads, sizes.batch * sizes.queries] : [sizes.batch, sizes.heads, sizes.queries])
    return body(&queries, &keyValues, &options, &output, &sums)
  }

  /// As many as there are sequences as a rule, each at most `most` as a rule.
  private func lengths(_ count: Int, _ most: Int) -> (UnsafePointer<Int64>?, Int64) {
    let listed = input.chance(1) ? input.int(0...5) : count
    let numbers = (0..<listed).map { _ in
      Int64(input.chance(1) ? input.anyInt() : input.int(0...max(most, 0)))
    }
    // Fewer than there are, or a number that is none.
    let said = input.chance(1) ? [-1, Int64.min, Int64(max(0, listed - 1))][input.int(0...2)] : Int64(listed)
    return (list(numbers), said)
  }

  private func keyValues(_ sizes: CSizes, depth: Int) -> attention_key_values {
    var result = attention_key_values()
    let type = input.pick([
      ATTENTION_FLOAT32, ATTENTION_FLOAT32, ATTENTION_BFLOAT16, ATTENTION_FLOAT16, ATTENTION_INT8,
    ])
    let source = input.pick([
      ATTENTION_PADDED, ATTENTION_PACKED, ATTENTION_PAGED, ATTENTION_JOINED, ATTENTION_STEP,
      ATTENTION_SEQUENCES, -1, 6,
    ])
    result.source = attention_source(source)
    var shape = [sizes.batch, sizes.keyHeads, sizes.keys]
    switch source {
    case ATTENTION_PACKED: shape = [sizes.batch * sizes.keys, sizes.keyHeads]
    case ATTENTION_PAGED:
      shape = [input.int(1...4), input.int(1...4), sizes.keyHeads]
      result.page_table = pageTable(sizes.batch, pages: shape[0], of: input.int(1...4))
    case ATTENTION_JOINED where depth < 3:
      let parts = (0..<input.int(0...3)).map { _ in keyValues(sizes, depth: depth + 1) }
      let memory = UnsafeMutablePointer<attention_key_values>.allocate(capacity: parts.count + 1)
      memory.initialize(from: parts, count: parts.count)
      keep(UnsafeMutableRawPointer(memory))
      (result.parts, result.part_count) = (UnsafePointer(memory), Int64(parts.count))
    default: break
    }
    result.keys = tensor(shape + [sizes.depth], type)
    result.values = tensor(shape + [sizes.width], type)
    if type == ATTENTION_INT8 || input.chance(1) {
      result.key_scales = tensor(shape)
      result.value_scales = tensor(shape)
    }
    if source == ATTENTION_PACKED || source == ATTENTION_PAGED || input.chance(2) {
      (result.lengths, result.length_count) = lengths(sizes.batch, sizes.keys)
    }
    return result
  }

  /// Page numbers in the program's own memory, some of pages that there are not.
  private func pageTable(_ batch: Int, pages: Int, of columns: Int) -> attention_tensor {
    var table = tensor([batch, columns], ATTENTION_INT32)
    guard Int(table.type) == ATTENTION_INT32, table.rank == 2, let data = table.data,
      UInt(bitPattern: data).isMultiple(of: 4)
    else { return table }
    let numbers = UnsafeMutablePointer<Int32>.allocate(capacity: batch * columns + 1)
    for index in 0..<batch * columns {
      numbers[index] =
        input.chance(1) ? Int32(truncatingIfNeeded: input.anyInt()) : Int32(input.int(0...pages - 1))
    }
    keep(UnsafeMutableRawPointer(numbers))
    var shape = [Int64(batch), Int64(columns)]
    table = attention_dense(numbers, attention_type(ATTENTION_INT32), 2, &shape)
    return table
  }

  private func options(_ sizes: CSizes) -> attention_options {
    var options = attention_options()
    if input.chance(2) { options.scale = doubles([input.anyDouble()]) }
    options.causal = input.chance(4) ? 1 : 0
    options.alignment = input.chance(2) ? Int32(input.int(-1...4)) : 0
    if input.chance(2) {
      let offsets = (0..<input.pick([1, sizes.batch])).map { _ in Int64(input.anyInt()) }
      (options.offsets, options.offset_count) = (list(offsets), Int64(offsets.count))
    }
    if input.chance(2) { options.window_left = list([Int64(input.anyInt())]) }
    if input.chance(2) { options.window_right = list([Int64(input.anyInt())]) }
    if input.chance(1) { options.keeping_first = Int64(input.anyInt()) }
    if input.chance(2) {
      let shape = [
        input.pick([1, sizes.batch]), 1, input.pick([1, sizes.queries]), input.pick([1, sizes.keys]),
      ]
      let masks = [tensor(shape, input.chance(4) ? ATTENTION_BOOL : ATTENTION_FLOAT32)]
      let memory = UnsafeMutablePointer<attention_tensor>.allocate(capacity: 1)
      memory.initialize(to: masks[0])
      keep(UnsafeMutableRawPointer(memory))
      (options.masks, options.mask_count) = (UnsafePointer(memory), 1)
    }
    if input.chance(1) {
      options.alibi_slopes = doubles((0..<sizes.heads).map { _ in input.anyDouble() })
      options.alibi_slope_count = Int64(sizes.heads)
    }
    if input.chance(1) { options.softcap = input.anyDouble() }
    if input.chance(1) {
      options.sinks = doubles((0..<sizes.heads).map { _ in input.anyDouble() })
      options.sink_count = Int64(input.chance(1) ? 0 : sizes.heads)
    }
    options.softmax_in_float64 = input.chance(1) ? 1 : 0
    return options
  }

  func merge() -> attention_status {
    let shape = (0..<input.int(1...3)).map { _ in input.int(0...5) }
    let count = input.int(0...3)
    let outputs = (0..<count).map { _ in tensor(shape + [4]) }
    let sums = (0..<count).map { _ in tensor(shape) }
    var (output, sum) = (tensor(shape + [4]), tensor(shape))
    return attention_merge(outputs, sums, Int64(count), &output, &sum)
  }

  func quantize() -> attention_status {
    let shape = (0..<input.int(1...3)).map { _ in input.int(0...5) }
    var (numbers, integers, scales) = (
      tensor(shape + [8]), tensor(shape + [8], ATTENTION_INT8), tensor(shape)
    )
    return attention_quantize(&numbers, &integers, &scales)
  }

  func rotate() -> attention_status {
    var rotary: OpaquePointer?
    // Tables of many positions take memory, not thought.
    let positions = input.chance(2) ? input.anyInt() : input.int(1...40)
    let depth = input.chance(1) ? input.anyInt() : 2 * input.int(1...4)
    guard positions < 1 << 16 || positions > 1 << 40, depth < 1 << 12 || depth > 1 << 40 else { return run() }
    let made = attention_rotary_create(
      Int64(depth), Int64(input.chance(1) ? input.anyInt() : 0), Int64(positions),
      input.chance(2) ? input.anyDouble() : 10_000, input.chance(4) ? 1 : 0, &rotary)
    guard Int(made) == ATTENTION_OK else { return made }
    defer { attention_rotary_destroy(rotary) }
    let tokens = input.int(0...5)
    var turned = tensor([input.int(0...2), 2, tokens, depth])
    let places = (0..<tokens).map { _ in Int64(input.chance(1) ? input.anyInt() : input.int(0...40)) }
    return attention_rotary_apply(rotary, &turned, list(places), Int64(tokens))
  }
}
