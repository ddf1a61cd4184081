import Attention
import TestSupport
import Testing

/// What forks, truncations, rings and prefixes take and keep, counted in pages.
@Suite struct CacheSequenceTests {
  private func pool(pages: Int, pageSize: Int = 4) throws -> KeyValuePool {
    try CacheModelTests.pool(pageSize: pageSize, pages: pages)
  }

  /// Appends tokens whose rows follow from what was before them.
  private func append(_ tokens: [Int], to sequence: KeyValueSequence) throws {
    let stamps = Self.stamps((sequence.tokens ?? []) + tokens)
    let step = try KeyValueStep([sequence], appending: [tokens])
    for layer in 0..<CacheModel.shape.layers {
      try CacheModel.write(step, layer: layer, Array(stamps.suffix(tokens.count)))
    }
    try step.commit()
  }

  private static func stamps(_ tokens: [Int]) -> [UInt64] {
    tokens.reduce(into: []) { $0.append(CacheModel.next($0.last ?? 1, $1)) }
  }

  private func holds(_ view: CacheView, _ tokens: [Int]) throws -> Bool {
    let model = CacheModel(try pool(pages: 1), seed: 1, isAlone: true)
    model.check(
      CacheModel.Held(
        view: view, rows: [Self.stamps(tokens).enumerated().map { (stamp: $1, position: $0) }]))
    return model.failure == nil
  }

  @Test func aForkCopiesTheLastPageAlone() throws {
    let pool = try pool(pages: 20)
    let a = pool.makeSequence()
    try append(Array(0..<10), to: a)
    #expect(pool.freePages == 17)
    let b = try a.fork()
    #expect(pool.freePages == 17)
    // The first to append goes on in place.
    try append([10], to: a)
    #expect(pool.freePages == 17)
    try append([20], to: b)
    #expect(pool.freePages == 16)
    try append([11, 12], to: a)
    #expect(pool.freePages == 15)
    #expect(try holds(a.view, Array(0..<13)))
    #expect(try holds(b.view, Array(0..<10) + [20]))
  }

  @Test func viewsSeeWhatTheySaw() throws {
    let pool = try pool(pages: 20)
    let a = pool.makeSequence()
    try append(Array(0..<10), to: a)
    let view = a.view
    try a.truncate(to: 5)
    try append([50, 51, 52, 53, 54, 55], to: a)
    #expect(try holds(view, Array(0..<10)))
    #expect(try holds(a.view, Array(0..<5) + Array(50..<56)))
    try a.reset()
    try append(Array(100..<120), to: a)
    #expect(try holds(view, Array(0..<10)))
    #expect(try holds(a.view, Array(100..<120)))
  }

  @Test func anAppendBesideViewsOfItsPastCopiesNothing() throws {
    let pool = try pool(pages: 20)
    let a = pool.makeSequence()
    var views: [CacheView] = []
    for token in 0..<40 {
      try append([token], to: a)
      views.append(a.view)
      // The pages of the sequence, and none for the views.
      #expect(pool.freePages == 20 - (token / 4 + 1))
    }
    for (token, view) in views.enumerated() { #expect(try holds(view, Array(0...token))) }
  }

  @Test func droppedStepsGiveAllBack() throws {
    let pool = try pool(pages: 8)
    let a = pool.makeSequence()
    try append(Array(0..<6), to: a)
    let free = pool.freePages
    for _ in 0..<3 {
      let step = try KeyValueStep([a], appending: [[6, 7, 8, 9, 10]])
      #expect(pool.freePages == free - 1)
      try CacheModel.write(step, layer: 0, Array(repeating: 7, count: 5))
      #expect(a.count == 6)
    }
    #expect(pool.freePages == free)
    #expect(a.tokens == Array(0..<6))
    try append([6], to: a)
    #expect(try holds(a.view, Array(0..<7)))
  }

  @Test func ringsKeepTheFirstAndTheLast() throws {
    let pool = try pool(pages: 8)
    let ring = try pool.makeSequence(window: 6, keepingFirst: 2, longestAppend: 3)
    // 2 + 6 + 3 rows are three pages.
    for position in 0..<50 {
      let step = try KeyValueStep([ring], appending: [1])
      for layer in 0..<2 { try CacheModel.write(step, layer: layer, [UInt64(position)]) }
      let expected =
        Array(0..<min(2, position + 1)) + Array(max(2, position - 6)..<max(2, position + 1, position - 6))
      let view = try step.view
      #expect(view.rowCount(0) == expected.count && view.positionCount(0) == position + 1)
      let model = CacheModel(pool, seed: 1, isAlone: true)
      model.check(CacheModel.Held(view: view, rows: [expected.map { (stamp: UInt64($0), position: $0) }]))
      #expect(model.failure == nil, "\(model.failure ?? "")")
      try step.commit()
      #expect(pool.freePages == 8 - min(3, position / 4 + 1))
    }
    #expect(ring.count == 50)
    // 12 slots, of which 10 turn: positions 40 on are there, and 6 of them are the window before 46.
    expectRefusal(of: "count", "45 given", "40") { try ring.truncate(to: 45) }
    try ring.truncate(to: 46)
    #expect(ring.view.rowCount(0) == 8)
    try ring.reset()
    #expect(pool.freePages == 8)
  }

  @Test func prefixesAreFoundInWholePages() throws {
    let pool = try pool(pages: 16)
    var a: KeyValueSequence? = pool.makeSequence()
    try append(Array(0..<10), to: try #require(a))
    #expect(pool.match(Array(0..<10)) == 8)
    #expect(pool.match(Array(0..<7)) == 4)
    #expect(pool.match([0, 1, 2]) == 0)
    #expect(pool.match([0, 1, 2, 3, 9, 9, 9, 9]) == 4)
    // A page is found under what was before it, and nowhere else.
    #expect(pool.match([4, 5, 6, 7]) == 0)
    let b = pool.makeSequence(reusing: Array(0..<20))
    #expect(b.count == 8 && b.tokens == Array(0..<8) && pool.freePages == 13)
    #expect(try holds(b.view, Array(0..<8)))
    a = nil
    // The page of two rows is free, the shared ones are not.
    #expect(pool.freePages == 14)
    // A whole prefix and its last token once more.
    let c = pool.makeSequence(reusing: Array(0..<8))
    try c.truncate(to: 7)
    try append([77], to: c)
    #expect(try holds(c.view, Array(0..<7) + [77]))
    #expect(try holds(b.view, Array(0..<8)))
    #expect(pool.match(Array(0..<7) + [77]) == 8)
  }

  @Test func theLeastRecentlyUsedPrefixGoesFirst() throws {
    let pool = try pool(pages: 6)
    for first in [100, 200, 300] {
      let sequence = pool.makeSequence()
      try append(Array(first..<first + 8), to: sequence)
    }
    #expect(pool.freePages == 6)
    // The oldest is used once more, the middle one is now the oldest.
    _ = pool.makeSequence(reusing: Array(100..<108))
    let sequence = pool.makeSequence()
    try append([1], to: sequence)
    // Of a prefix the end goes first.
    #expect(pool.match(Array(200..<208)) == 4)
    #expect(pool.match(Array(100..<108)) == 8 && pool.match(Array(300..<308)) == 8)
    try append(Array(2..<9), to: sequence)
    #expect(pool.match(Array(200..<208)) == 0)
    #expect(pool.match(Array(100..<108)) == 8 && pool.match(Array(300..<308)) == 8)
    #expect(pool.freePages == 4)
    try sequence.reset()
    #expect(pool.freePages == 6)
  }

  @Test func tokensThatAreNotKnownAreNotFound() throws {
    let pool = try pool(pages: 16)
    let a = pool.makeSequence()
    try append([0, 1, 2, 3, 4], to: a)
    let step = try KeyValueStep([a], appending: [3])
    for layer in 0..<2 { try CacheModel.write(step, layer: layer, [1, 2, 3]) }
    try step.commit()
    #expect(a.tokens == nil && a.count == 8)
    #expect(pool.match(Array(0..<8)) == 4)
    try a.truncate(to: 5)
    #expect(a.tokens == [0, 1, 2, 3, 4])
    try append([5, 6, 7], to: a)
    #expect(pool.match(Array(0..<8)) == 8)
  }

  @Test func beamsTakeOverWhatOthersWere() throws {
    let pool = try pool(pages: 16)
    let beams = (0..<3).map { _ in pool.makeSequence() }
    for (index, beam) in beams.enumerated() { try append([index, 10 + index, 20 + index], to: beam) }
    #expect(pool.freePages == 13)
    try KeyValueSequence.reorder(beams, by: [1, 1, 0])
    #expect(beams.map(\.tokens) == [[1, 11, 21], [1, 11, 21], [0, 10, 20]])
    #expect(pool.freePages == 14)
    let step = try KeyValueStep(beams, appending: [[5], [6], [7]])
    #expect(pool.freePages == 13)
    for layer in 0..<2 {
      try CacheModel.write(
        step, layer: layer,
        [[1, 11, 21, 5], [1, 11, 21, 6], [0, 10, 20, 7]].map { Self.stamps($0)[3] })
    }
    try step.commit()
    #expect(try holds(beams[0].view, [1, 11, 21, 5]))
    #expect(try holds(beams[1].view, [1, 11, 21, 6]))
    #expect(try holds(beams[2].view, [0, 10, 20, 7]))
  }
}
