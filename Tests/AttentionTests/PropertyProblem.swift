import Attention
import TestSupport

/// The sequences and the mask of a draw, the mask both as users compose it and as plain definitions for the oracle.
struct PropertyProblem {
  let draw: PropertyDraw
  let sequences: [Extent]
  let longestQueries: Int
  let longestKeys: Int
  let rules: Rules
  private let parts: [Part]

  /// What a sequence covers. `queryStart` and `keyStart` count rows of packed tensors.
  struct Extent {
    var queryStart = 0
    var queryCount: Int
    var keyStart = 0
    var keyCount: Int
    var offset = 0
  }

  /// The definition of the mask over (sequence, head, query, key).
  struct Rules {
    var visible: [(Int, Int, Int, Int) -> Bool] = []
    var biases: [(Int, Int, Int, Int) -> Double] = []
    var modifiers: [(Double, Int, Int, Int, Int) -> Double] = []

    func isVisible(_ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Bool { visible.allSatisfy { $0(b, h, i, j) } }

    /// −∞ in one bias hides the key whatever the others say.
    func bias(_ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Double {
      var sum = 0.0
      for bias in biases {
        let added = bias(b, h, i, j)
        if added == -.infinity { return added }
        sum += added
      }
      return sum
    }

    func modified(_ score: Double, _ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Double {
      modifiers.reduce(score) { $1($0, b, h, i, j) }
    }

    /// Whether nothing in the key can reach the query, whatever its score.
    func hides(_ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Bool {
      !isVisible(b, h, i, j) || bias(b, h, i, j) == -.infinity || modified(0, b, h, i, j) == -.infinity
    }
  }

  /// A rule in the operator's form, for all sequences or for one of them alone.
  private typealias Part = (_ only: Int?) throws -> AttentionMask

  init(_ draw: PropertyDraw) throws {
    self.draw = draw
    let extents = Self.extents(draw)
    sequences = extents
    longestQueries = draw.packsQueries ? extents.map(\.queryCount).max() ?? 0 : draw.shape.queries
    switch draw.source {
    case .tensor, .joined: longestKeys = draw.shape.keys
    case .pages, .packed: longestKeys = extents.map(\.keyCount).max() ?? 0
    }
    var rules = Rules()
    rules.visible.append { b, _, i, j in i < extents[b].queryCount && j < extents[b].keyCount }
    var parts: [Part] = []
    let sizes = [extents.count, draw.shape.heads.query, longestQueries, longestKeys]
    for rule in draw.rules {
      parts.append(try PropertyRuleBuilder(draw, extents, sizes).add(rule, to: &rules))
    }
    self.rules = rules
    self.parts = parts
  }

  /// The mask of all sequences, or of one as a batch of its own.
  func mask(only sequence: Int? = nil) throws -> AttentionMask {
    try parts.reduce(AttentionMask.none) { $0 & (try $1(sequence)) }
  }

  /// The rules of the call, on some threads; of all sequences, or of one as a batch of its own.
  func attention(only sequence: Int? = nil, on pool: WorkerPool) throws -> ScaledDotProductAttention {
    ScaledDotProductAttention(
      scale: draw.scale, mask: try mask(only: sequence), options: options, on: pool)
  }

  /// Whether some rule says how many keys, or queries, each sequence has.
  var hasKeyLengths: Bool {
    draw.rules.contains { if case .keyLengths = $0 { true } else { false } }
  }

  var hasQueryLengths: Bool {
    draw.rules.contains { if case .queryLengths = $0 { true } else { false } }
  }

  var options: AttentionOptions {
    AttentionOptions(softcap: draw.softcap, sinks: sinks, softmaxPrecision: draw.precision)
  }

  /// One a query head.
  var sinks: [Double]? {
    guard let kind = draw.sinks else { return nil }
    var random = SplitMix(seed: draw.dataSeed &+ 77)
    return (0..<draw.shape.heads.query).map { _ in
      switch kind {
      case .ordinary: 2 * random.unit()
      case .absent: random.chance(50) ? -.infinity : random.unit()
      case .large: random.pick([-300, 60, 300])
      case .infinite: random.pick([.infinity, 0])
      }
    }
  }

  private static func extents(_ draw: PropertyDraw) -> [Extent] {
    let shape = draw.shape
    var extents: [Extent] = []
    var random = SplitMix(seed: draw.dataSeed &+ 11)
    var next = (query: 0, key: 0)
    for _ in 0..<shape.batch {
      var extent = Extent(queryCount: shape.queries, keyCount: shape.keys)
      if draw.packsQueries {
        extent.queryCount = length(&random, shape.queries)
        extent.queryStart = next.query
        next.query += extent.queryCount
      }
      if draw.source == .packed {
        extent.keyCount = length(&random, shape.keys)
        extent.keyStart = next.key
        next.key += extent.keyCount
      }
      extents.append(extent)
    }
    for rule in draw.rules {
      switch rule {
      case .keyLengths(let seed):
        for (b, length) in lengths(seed, shape.batch, shape.keys).enumerated() {
          extents[b].keyCount = min(extents[b].keyCount, length)
        }
      case .queryLengths(let seed):
        for (b, length) in lengths(seed, shape.batch, shape.queries).enumerated() {
          extents[b].queryCount = min(extents[b].queryCount, length)
        }
      case .causal, .window, .keyRange, .boolean, .additive, .alibi, .modifier: break
      }
    }
    let offsets = offsets(draw)
    for b in extents.indices {
      switch draw.alignment ?? .bottomRight {
      case .bottomRight: extents[b].offset = extents[b].keyCount - extents[b].queryCount
      case .topLeft: extents[b].offset = 0
      case .offset(let offset): extents[b].offset = offset
      case .offsets: extents[b].offset = offsets[b]
      }
    }
    return extents
  }

  private static func offsets(_ draw: PropertyDraw) -> [Int] {
    var random = SplitMix(seed: draw.dataSeed &+ 13)
    return (0..<draw.shape.batch).map { _ in random.int(-10...30) }
  }

  static func lengths(_ seed: UInt64, _ count: Int, _ most: Int) -> [Int] {
    var random = SplitMix(seed: seed)
    return (0..<count).map { _ in length(&random, most) }
  }

  private static func length(_ random: inout SplitMix, _ most: Int) -> Int {
    random.chance(25) ? most : random.chance(15) ? 0 : random.int(0...most)
  }
}
