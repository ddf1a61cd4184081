// The headers document what is public here.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import CAttention
import Parallelism
import Tensors

@c @implementation
public func attention_threads_create(
  _ count: Int64, _ threads: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(threads, "threads") { () throws(AttentionError) in
    guard (1...Int64(WorkerPool.maximumThreadCount)).contains(count) else {
      throw AttentionError("count", "\(count) given, expected 1 to \(WorkerPool.maximumThreadCount) threads")
    }
    return WorkerPool(threads: Int(count))
  }
}

@c @implementation
public func attention_threads_destroy(_ threads: OpaquePointer?) { destroy(threads, as: WorkerPool.self) }

@c @implementation
public func attention_thread_count(_ threads: OpaquePointer?) -> Int64 { Int64(pool(threads).threadCount) }
