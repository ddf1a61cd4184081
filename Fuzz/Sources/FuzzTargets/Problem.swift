import Attention
import AttentionReference

/// A problem that attention must compute, as the contract defines it: sizes, lengths, elements, rules and options, without a word of how it
/// is stored or called.
struct Problem {
  let batch: Int
  let keyHeads: Int
  let group: Int
  let queries: Int
  let keys: Int
  let depth: Int
  let width: Int
  let queryLengths: [Int]
  let keyLengths: [Int]
  let alignment: QueryAlignment?
  var rules: [Rule] = []
  let scale: Double?
  let softcap: Double?
  let sinks: [Double]?
  /// What elements are made of.
  private let seed: Int
  /// In parts of 1/256, how many elements are NaN, infinite or large.
  private let strange: Int

  var queryHeads: Int { keyHeads * group }

  /// Parts of a mask; tensors are made of the number.
  enum Rule {
    case causal
    case window(left: Int?, right: Int?, kept: Int)
    case boolean(axes: [Bool], Int)
    case additive(axes: [Bool], Int)
    case alibi
  }

  init(_ input: inout InputBytes) {
    // Mostly few; else around the edges of tiles, of one or two heads: the oracle takes a microsecond for each score.
    let isLarge = input.chance(1)
    batch = isLarge ? 1 : input.int(1...3)
    keyHeads = isLarge ? 1 : input.int(1...2)
    group = isLarge ? input.int(1...2) : input.pick([1, 2, 3, 4, 8])
    queries = isLarge ? input.pick([1, 5, 31, 64, 65]) : input.int(1...8)
    keys = isLarge ? input.pick([127, 128, 129, 257, 300, 520, 1100]) : input.int(0...30)
    depth = !isLarge && input.chance(1) ? input.int(1...130) : input.int(1...20)
    width = !isLarge && input.chance(1) ? input.int(1...130) : input.int(1...20)
    let (Tq, Tk) = (queries, keys)
    // The first is the longest: masks of packed sequences and of pages have its length.
    var lengths = [Tq]
    for _ in 1..<batch { lengths.append(input.chance(3) ? min(Tq, Int(input.byte())) : Tq) }
    queryLengths = lengths
    lengths = [Tk]
    for _ in 1..<batch { lengths.append(input.chance(3) ? min(Tk, Int(input.byte())) : Tk) }
    keyLengths = lengths
    alignment = input.pick([
      nil, .bottomRight, .topLeft, .offset(input.int(-50...50)), .offsets(lengths.map { $0 / 2 - 3 }),
    ])
    scale = input.pick([nil, nil, nil, 1, 0, -0.5, 0.01, 3])
    softcap = input.pick([nil, nil, nil, 0, 0.5, 5, 30])
    let heads = keyHeads * group
    let all: [Double] = (0..<heads).map { $0 % 3 == 2 ? -Double.infinity : Double($0) / 4 - 1 }
    sinks = input.chance(2) ? all : nil
    seed = input.int(0...65535)
    strange = input.pick([0, 0, 0, 1, 2, 16])
    for _ in 0..<input.int(0...3) {
      switch input.int(0...4) {
      case 0: rules.append(.causal)
      case 1:
        rules.append(
          .window(
            left: input.chance(6) ? input.int(0...40) : nil, right: input.chance(4) ? input.int(0...40) : nil,
            kept: input.chance(2) ? input.int(1...5) : 0))
      case 2: rules.append(.boolean(axes: (0..<4).map { _ in input.chance(4) }, input.int(1...250)))
      case 3: rules.append(.additive(axes: (0..<4).map { _ in input.chance(4) }, input.int(1...250)))
      default: rules.append(.alibi)
      }
    }
    // Windows of one mask that keep first keys keep the same number of them.
    let kept = rules.lazy.compactMap { if case .window(_, _, let kept) = $0, kept > 0 { kept } else { nil } }
      .first
    rules = rules.map {
      if case .window(let left, let right, 1...) = $0 {
        .window(left: left, right: right, kept: kept ?? 0)
      } else {
        $0
      }
    }
  }

  /// Numbers of about unit variance, the same for the same role.
  func elements(_ role: Int, _ count: Int) -> [Double] {
    let stream = RandomStream(seed: UInt64(seed * 4 + role))
    return (0..<count).map { index in
      let bits = stream.bits(index)
      if Int(bits & 255) < strange {
        return [.nan, .infinity, -.infinity, 300, -300, 0, 1e-3][Int(bits >> 8) % 7]
      }
      return (Double(bits >> 11) * 0x1p-53 - 0.5) * 3.4
    }
  }

  /// What position query 0 of a sequence has among the keys.
  func offset(_ sequence: Int) -> Int {
    switch alignment ?? .bottomRight {
    case .bottomRight: keyLengths[sequence] - queryLengths[sequence]
    case .topLeft: 0
    case .offset(let offset): offset
    case .offsets(let offsets): offsets[sequence]
    }
  }
}
