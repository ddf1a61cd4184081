// The headers document what is public here.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import Attention
import CAttention

@c @implementation
public func attention_cache_create(
  _ sizes: UnsafePointer<attention_cache_sizes>?, _ cache: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(cache, "cache") { () throws(AttentionError) in
    let sizes = try sizes.required("sizes").pointee
    return try KeyValuePool(
      layers: Int(sizes.layers), heads: Int(sizes.heads), depth: Int(sizes.depth),
      width: sizes.width == 0 ? nil : Int(sizes.width), keys: KeyValueType(c: sizes.keys, "keys"),
      values: KeyValueType(c: sizes.values, "values"), pageSize: Int(sizes.page_size), pages: Int(sizes.pages)
    )
  }
}

extension KeyValueType {
  fileprivate init(c type: attention_cache_type, _ argument: String) throws(AttentionError) {
    switch Int(type) {
    case ATTENTION_CACHE_FLOAT32: self = .float32
    case ATTENTION_CACHE_BFLOAT16: self = .bfloat16
    case ATTENTION_CACHE_FLOAT16: self = .float16
    case ATTENTION_CACHE_INT8: self = .int8
    case ATTENTION_CACHE_INT4: self = .int4
    default:
      throw AttentionError(
        argument, "cache type \(type) given, expected ATTENTION_CACHE_FLOAT32 to ATTENTION_CACHE_INT4")
    }
  }
}

@c @implementation
public func attention_cache_destroy(_ cache: OpaquePointer?) { destroy(cache, as: KeyValuePool.self) }

@c @implementation
public func attention_cache_free_pages(_ cache: OpaquePointer?) -> Int64 {
  counting { () throws(AttentionError) in try handle(cache, as: KeyValuePool.self, "cache").freePages }
}

/// A count, or −1 with an error.
private func counting(_ body: () throws(AttentionError) -> Int) -> Int64 {
  var count = -1
  let status = reporting { () throws(AttentionError) in count = try body() }
  return Int(status) == ATTENTION_OK ? Int64(count) : -1
}

// MARK: - Sequences

@c @implementation
public func attention_sequence_create(
  _ cache: OpaquePointer?, _ sequence: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(sequence, "sequence") { () throws(AttentionError) in
    try handle(cache, as: KeyValuePool.self, "cache").makeSequence()
  }
}

@c @implementation
public func attention_sequence_create_ring(
  _ cache: OpaquePointer?, _ window: Int64, _ keeping_first: Int64, _ longest_append: Int64,
  _ sequence: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(sequence, "sequence") { () throws(AttentionError) in
    try handle(cache, as: KeyValuePool.self, "cache").makeSequence(
      window: Int(window), keepingFirst: Int(keeping_first), longestAppend: Int(longest_append))
  }
}

@c @implementation
public func attention_sequence_create_reusing(
  _ cache: OpaquePointer?, _ tokens: UnsafePointer<Int64>?, _ count: Int64,
  _ sequence: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(sequence, "sequence") { () throws(AttentionError) in
    let tokens = try integers(tokens, count, "tokens") ?? []
    // A page's number, the prefix of ids that it holds, and the ids once more.
    try askForLists(of: tokens.count, 8 * MemoryLayout<Int>.stride, "tokens")
    return try handle(cache, as: KeyValuePool.self, "cache").makeSequence(reusing: tokens)
  }
}

@c @implementation
public func attention_sequence_fork(
  _ sequence: OpaquePointer?, _ fork: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(fork, "fork") { () throws(AttentionError) in
    let sequence = try handle(sequence, as: KeyValueSequence.self, "sequence")
    // Page by page, of one token at least.
    try askForLists(of: sequence.count, 2 * MemoryLayout<Int32>.stride, "sequence")
    return try sequence.fork()
  }
}

@c @implementation
public func attention_sequence_truncate(_ sequence: OpaquePointer?, _ count: Int64) -> attention_status {
  reporting { () throws(AttentionError) in
    try handle(sequence, as: KeyValueSequence.self, "sequence").truncate(to: Int(count))
  }
}

@c @implementation
public func attention_sequence_count(_ sequence: OpaquePointer?) -> Int64 {
  counting { () throws(AttentionError) in try handle(sequence, as: KeyValueSequence.self, "sequence").count }
}

@c @implementation
public func attention_sequence_save(_ sequence: OpaquePointer?, _ path: UnsafePointer<CChar>?)
  -> attention_status
{
  reporting { () throws(AttentionError) in
    let path = try text(path, "path")
    let sequence = try handle(sequence, as: KeyValueSequence.self, "sequence")
    // The ids, and pieces of rows put together.
    try askForLists(of: sequence.count + (1 << 16), 4 * MemoryLayout<Int>.stride, "sequence")
    try sequence.save(to: path)
  }
}

@c @implementation
public func attention_sequence_load(
  _ cache: OpaquePointer?, _ path: UnsafePointer<CChar>?, _ sequence: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(sequence, "sequence") { () throws(AttentionError) in
    let path = try text(path, "path")
    return try handle(cache, as: KeyValuePool.self, "cache").load(from: path)
  }
}

@c @implementation
public func attention_sequence_destroy(_ sequence: OpaquePointer?) {
  destroy(sequence, as: KeyValueSequence.self)
}

/// A text of the caller's.
///
/// - Throws: ``AttentionError`` for bytes that are no UTF-8: they would name another file once repaired.
private func text(_ bytes: UnsafePointer<CChar>?, _ argument: String) throws(AttentionError) -> String {
  guard let text = String(validatingCString: try bytes.required(argument)) else {
    throw AttentionError(argument, "bytes that are no UTF-8 given, expected UTF-8")
  }
  return text
}
