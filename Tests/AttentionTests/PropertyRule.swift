import Attention
import TestSupport

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// One rule of a random mask.
enum PropertyRule: Sendable {
  case causal
  /// Beside the window, the first few keys where `keepsFirst`.
  case window(left: Int?, right: Int?, keepsFirst: Bool)
  /// A rule of the caller's own.
  case keyRange(RangeRule)
  case keyLengths(seed: UInt64)
  case queryLengths(seed: UInt64)
  case boolean(MaskTensor)
  case additive(MaskTensor, PropertyDraw.Element, size: Double)
  case alibi(seed: UInt64)
  case modifier(Modifier, isTile: Bool)

  /// What a mask tensor looks like; its elements follow from the seed.
  struct MaskTensor: Sendable, CustomStringConvertible {
    var seed: UInt64
    /// Batch, heads, queries, keys: where false, one element stands for all.
    var spans: [Bool]
    var isShort = false
    var dropsLeadingAxes = false
    var storage: UInt64?

    var description: String {
      "[\(zip(spans, ["B", "H", "Tq", isShort ? "<Tk" : "Tk"]).map { $0 ? $1 : "1" }.joined(separator: " "))]"
        + (storage == nil ? "" : " strided")
    }
  }

  /// Changes of scores, as a closure each; some would bring hidden keys back if what is hidden were forgotten.
  enum Modifier: CaseIterable {
    case age, floor, hidesThirds, gain

    func change(_ score: Double, _ head: Int, _ query: Int, _ position: Int, _ key: Int) -> Double {
      switch self {
      case .age: score - log(Double(1 + abs(position - key)))
      case .floor: max(score, -0.5)
      case .hidesThirds: (key + query) % 3 == 0 ? -.infinity : score
      case .gain: score * (head % 2 == 0 ? 1.5 : -1)
      }
    }
  }

  /// Key ranges that are not the library's, one of them careless about its bounds.
  enum RangeRule: KeyRangeRule {
    case chunked(Int), prefix(Int), careless

    var description: String {
      switch self {
      case .chunked(let size): "chunked(\(size))"
      case .prefix(let count): "prefix(\(count))"
      case .careless: "careless"
      }
    }

    func visibleKeys(of query: QueryPlace) -> Range<Int> {
      range(query.query, query.position, query.keyCount)
    }

    func range(_ query: Int, _ position: Int, _ keyCount: Int) -> Range<Int> {
      switch self {
      case .chunked(let size):
        let chunk = position >= 0 ? position / size : (position - size + 1) / size
        return chunk * size..<(chunk + 1) * size
      case .prefix(let count): return 0..<max(count, position + 1, 0)
      case .careless: return query % 3 == 1 ? 1_000_000..<1_000_000 : -5..<max(-5, keyCount + 5 - query % 7)
      }
    }
  }

  init(_ random: inout SplitMix) {
    func reach() -> Int? { random.chance(30) ? nil : random.pick([0, 1, 5, 30, 200]) }
    func tensor() -> MaskTensor {
      MaskTensor(
        seed: random.next(), spans: (0..<4).map { $0 == 3 ? random.chance(85) : random.chance(50) },
        isShort: random.chance(15), dropsLeadingAxes: random.chance(50),
        storage: random.chance(30) ? random.next() : nil)
    }
    switch random.int(0...99) {
    case 0..<20: self = .causal
    case 20..<32: self = .window(left: reach(), right: reach(), keepsFirst: random.chance(40))
    case 32..<40:
      self = .keyRange(
        random.pick([.chunked(random.int(1...40)), .prefix(random.int(0...30)), .careless]))
    case 40..<52: self = .keyLengths(seed: random.next())
    case 52..<60: self = .queryLengths(seed: random.next())
    case 60..<74: self = .boolean(tensor())
    case 74..<86:
      self = .additive(tensor(), random.pick(PropertyDraw.Element.allCases), size: random.pick([1, 8]))
    case 86..<93: self = .alibi(seed: random.next())
    default: self = .modifier(random.pick(Modifier.allCases), isTile: random.chance(50))
    }
  }

  var isTensor: Bool {
    switch self {
    case .boolean, .additive: true
    case .causal, .window, .keyRange, .keyLengths, .queryLengths, .alibi, .modifier: false
    }
  }

  var isModifier: Bool {
    if case .modifier = self { true } else { false }
  }

  var changesScores: Bool {
    switch self {
    case .additive, .alibi, .modifier: true
    case .causal, .window, .keyRange, .keyLengths, .queryLengths, .boolean: false
    }
  }
}

extension PropertyRule: CustomStringConvertible {
  var description: String {
    switch self {
    case .causal: "causal"
    case .window(let left, let right, let keepsFirst):
      "window(left: \(left.map { "\($0)" } ?? "all"), right: \(right.map { "\($0)" } ?? "all")\(keepsFirst ? ", keeping first" : ""))"
    case .keyRange(let rule): "\(rule)"
    case .keyLengths: "keyLengths"
    case .queryLengths: "queryLengths"
    case .boolean(let tensor): "boolean\(tensor)"
    case .additive(let tensor, let type, let size): "additive\(tensor) in \(type) up to \(size)"
    case .alibi: "alibi"
    case .modifier(let modifier, let isTile): "modifier \(modifier)\(isTile ? " by tiles" : "")"
    }
  }
}
