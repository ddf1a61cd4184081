import Attention
import Foundation
import TestSupport
import Testing

/// Random operations on caches beside plain arrays.
///
///     ATTENTION_PROPERTY_SEED=7 ATTENTION_CACHE_OPERATIONS=200000 swift test -c release --filter CacheModelTests
@Suite struct CacheModelTests {
  private static let seed = setting("ATTENTION_PROPERTY_SEED").flatMap { UInt64($0) } ?? 1
  private static let operations = setting("ATTENTION_CACHE_OPERATIONS").flatMap { Int($0) } ?? 20_000

  private static func setting(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

  static func pool(pageSize: Int, pages: Int) throws -> KeyValuePool {
    let shape = CacheModel.shape
    return try KeyValuePool(
      layers: shape.layers, heads: shape.heads, depth: shape.depth, width: shape.width, keys: .float32,
      values: .bfloat16, pageSize: pageSize, pages: pages)
  }

  /// Pages that suffice, and pages that run out all the time.
  @Test(arguments: [(1, 400), (4, 40), (4, 200), (7, 60), (16, 24), (64, 16)])
  func everythingIsAsInPlainArrays(pageSize: Int, pages: Int) throws {
    let pool = try Self.pool(pageSize: pageSize, pages: pages)
    let model = CacheModel(pool, seed: Self.seed &+ UInt64(pageSize * 1000 + pages), isAlone: true)
    for operation in 0..<Self.operations / 6 {
      model.operate()
      if let failure = model.failure {
        Issue.record("operation \(operation) of seed \(Self.seed), \(pages) pages of \(pageSize): \(failure)")
        return
      }
    }
    model.finish()
    #expect(model.failure == nil)
    #expect(pool.freePages == pages)
    // Few operations, as under a sanitizer, need not meet everything.
    if Self.operations < 20_000 { return }
    for kind in ["committed", "dropped", "forked", "reordered"] {
      #expect(model.counts[kind, default: 0] > Self.operations / 1000, "\(kind): \(model.counts)")
    }
    if pages < 100 { #expect(model.counts["exhausted", default: 0] > 0, "\(model.counts)") }
    if pageSize < 16 { #expect(model.counts["reused", default: 0] > 0, "\(model.counts)") }
  }

  /// Threads with sequences of their own, which share pages by their tokens and take them from each other.
  @Test func threadsDoNotDisturbEachOther() throws {
    let pool = try Self.pool(pageSize: 4, pages: 160)
    let failures = CacheFailures()
    DispatchQueue.concurrentPerform(iterations: 4) { thread in
      let model = CacheModel(pool, seed: Self.seed &+ UInt64(77 + thread), isAlone: false)
      for operation in 0..<Self.operations / 8 {
        model.operate()
        if let failure = model.failure {
          return failures.add("thread \(thread), operation \(operation): \(failure)")
        }
      }
      model.finish()
      if let failure = model.failure { failures.add("thread \(thread) at its end: \(failure)") }
    }
    #expect(failures.all.isEmpty)
    #expect(pool.freePages == 160)
  }

  /// A slab is moved whole where it grows, and where a view sees rows that are written again.
  @Test(arguments: [true, false])
  func aSlabIsAsPlainArrays(isGrowing: Bool) throws {
    let shape = CacheModel.shape
    let slab = try KeyValueSlab(
      layers: shape.layers, heads: shape.heads, depth: shape.depth, width: shape.width, keys: .float32,
      values: .bfloat16, batch: 3, capacity: isGrowing ? 2 : 64, growing: isGrowing)
    let model = CacheModel(try Self.pool(pageSize: 1, pages: 1), seed: Self.seed, isAlone: true)
    var stamps: [[UInt64]] = [[], [], []]
    func held(_ view: CacheView) -> CacheModel.Held {
      CacheModel.Held(
        view: view, rows: stamps.map { $0.enumerated().map { (stamp: $1, position: $0) } })
    }
    for _ in 0..<Self.operations / 10 {
      let sequence = model.random.int(0...2)
      switch model.random.int(0...9) {
      case 0..<5:
        let before = stamps
        let counts = (0..<3).map { _ in model.random.int(0...4) }
        guard let step = try? slab.step(appending: counts) else {
          #expect(!isGrowing && zip(stamps, counts).contains { $0.count + $1 > 64 })
          try slab.truncate(sequence, to: 0)
          stamps[sequence] = []
          continue
        }
        for index in 0..<3 {
          for _ in 0..<counts[index] { stamps[index].append(CacheModel.next(1, model.unknownToken())) }
        }
        let packed = (0..<3).flatMap { stamps[$0].suffix(counts[$0]) }
        for layer in 0..<shape.layers { try CacheModel.write(step, layer: layer, packed) }
        let view = held(try step.view)
        if model.random.chance(30) { model.held.append(view) }
        if model.random.chance(80) { try step.commit() } else { stamps = before }
      case 5, 6:
        let count = model.random.int(0...stamps[sequence].count)
        try slab.truncate(sequence, to: count)
        stamps[sequence].removeLast(stamps[sequence].count - count)
      case 7:
        let parents = (0..<3).map { _ in model.random.int(0...2) }
        try slab.reorder(by: parents)
        stamps = parents.map { stamps[$0] }
      case 8: model.held.append(held(slab.view))
      default:
        if !model.held.isEmpty {
          model.check(model.held.remove(at: model.random.int(0...model.held.count - 1)))
        }
      }
      model.check(held(slab.view))
      if model.held.count > 6 { model.check(model.held.removeFirst()) }
      if let failure = model.failure {
        Issue.record("\(failure)")
        return
      }
    }
    #expect(slab.counts == stamps.map(\.count))
    #expect(isGrowing ? slab.capacity > 2 : slab.capacity == 64)
  }
}

/// What several threads report.
final class CacheFailures: @unchecked Sendable {
  private let lock = NSLock()
  private var found: [String] = []

  func add(_ failure: String) { lock.withLock { found.append(failure) } }
  var all: [String] { lock.withLock { found } }
}
