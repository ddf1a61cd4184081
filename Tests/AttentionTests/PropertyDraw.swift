import Attention
import TestSupport

/// One random problem and one way to compute it: sizes, types, storage, rules, options, and the form of the call.
///
/// A value that its seed and index determine, and that shrinks: every field can be made simpler without touching the others,
/// since what is random inside it (elements, lengths, cuts) is drawn from `dataSeed` and the sizes when it is built.
struct PropertyDraw: Sendable {
  /// The types that attention computes on.
  enum Element: CaseIterable { case float32, float64, float16, bfloat16 }

  /// What keys and values are stored in.
  enum Storage: CaseIterable { case float32, float64, float16, bfloat16, int8 }

  /// Where keys and values lie.
  enum Source: Equatable {
    case tensor
    /// This many parts, cut anywhere.
    case joined(parts: Int)
    /// Pages of this many keys.
    case pages(size: Int)
    /// One sequence after the other, of lengths up to that of the shape.
    case packed
  }

  /// Which function is called.
  enum Entry: Equatable {
    /// One instruction set, with or without small products.
    case forced(ForcedVariant)
    case returning, withLogSumExp, intoTensor, intoView, planned
    /// Attention over random cuts of the keys, merged.
    case merged
    case scores(ScoreStage, someRows: Bool)

    static func == (left: Entry, right: Entry) -> Bool { "\(left)" == "\(right)" }
  }

  /// NaN and ∞ in the inputs.
  enum Poison {
    case none
    /// In all that no query sees.
    case hidden
    /// In a few elements that some queries see.
    case visible
  }

  /// Axes of keys and values along which memory repeats.
  enum Sharing { case none, batch, heads, both }

  /// Another computation that has to give the same bits.
  enum Twin: CaseIterable { case none, otherThreads, sequenceAlone, contiguousTensor }

  enum Alignment { case bottomRight, topLeft, offset(Int), offsets }

  enum Sinks { case ordinary, absent, large, infinite }

  let seed: UInt64
  let index: Int
  var dataSeed: UInt64 = 0
  var shape = ProblemShape(queries: 1, keys: 1, headDimension: 1, valueDimension: 1)
  var element = Element.float32
  /// What queries and keys are multiplied with: scores of factors of 1e19 reach the end of Float, and some sums overflow before they
  /// cancel; of 1e20 they all do.
  var magnitude = 1.0
  var scale: Double?
  var softcap: Double?
  var sinks: Sinks?
  var precision = SoftmaxPrecision.accumulator
  var rules: [PropertyRule] = []
  var alignment: Alignment?
  var source = Source.tensor
  /// Whether queries are one sequence after the other, of lengths up to that of the shape.
  var packsQueries = false
  /// What keys and values are stored in; the element type where nil.
  var keyType: Storage?
  var valueType: Storage?
  /// For queries, keys, values and output, what their memory looks like is drawn from these; row-major where nil.
  var storage: [UInt64?] = [nil, nil, nil, nil]
  var sharing = Sharing.none
  var poison = Poison.none
  var entry = Entry.withLogSumExp
  var threads = 1
  var twin = Twin.none
}

extension PropertyDraw {
  /// The draw with this number.
  init(seed: UInt64, index: Int) {
    self.seed = seed
    self.index = index
    var random = SplitMix(seed: seed &+ UInt64(index) &* 0xD1B5_4A32_D192_ED03)
    dataSeed = random.next()
    shape = Self.shape(&random)
    element = random.pick([.float32, .float32, .float32, .float64, .float16, .bfloat16])
    magnitude = random.chance(4) ? random.pick([1e20, 3e19, 1e19]) : random.chance(10) ? 4 : 1
    scale = random.chance(70) ? nil : random.pick([1, 0, -0.5, 0.01, 3])
    softcap = random.chance(75) ? nil : random.pick([0, 0.5, 5, 30])
    sinks = random.chance(75) ? nil : random.pick([.ordinary, .ordinary, .absent, .large, .infinite])
    alignment =
      random.chance(50)
      ? nil
      : random.pick([
        .bottomRight, .topLeft, .offsets, .offset(random.int(-20...20)), .offset(40), .offset(-700),
      ])
    rules = (0..<random.pick([0, 1, 1, 2, 2, 3, 4])).map { _ in PropertyRule(&random) }
    source =
      random.chance(50)
      ? .tensor
      : random.pick([
        .joined(parts: random.int(1...4)), .pages(size: random.pick([1, 3, 16, 17, 64])), .packed, .packed,
      ])
    packsQueries = random.chance(source == .packed ? 70 : 20)
    if random.chance(30) { keyType = random.pick(Storage.allCases) }
    if random.chance(30) { valueType = random.pick(Storage.allCases) }
    for tensor in storage.indices where random.chance(40) { storage[tensor] = random.next() }
    sharing = random.chance(80) ? .none : random.pick([.batch, .heads, .both])
    let variant = Entry.forced(random.pick(ForcedVariant.all))
    let stage = Entry.scores(random.pick(ScoreStage.allCases), someRows: random.chance(50))
    entry =
      random.chance(50)
      ? variant
      : random.pick([
        .returning, .withLogSumExp, .intoTensor, .intoView, .planned, .merged, stage, stage,
      ])
    poison = random.chance(65) ? .none : random.pick([.hidden, .hidden, .visible])
    // Scores show at once what a row that is computed again would heal.
    if case .scores = entry, random.chance(60) { poison = random.pick([.hidden, .visible]) }
    threads = random.pick([1, 2, 3, 7])
    twin = random.chance(55) ? .none : random.pick([.otherThreads, .sequenceAlone, .contiguousTensor])
    precision = random.chance(90) ? .accumulator : .float64
    makeConsistent()
  }

  /// Mostly small; else around the edges of tiles, with wide heads, or with axes of 0 and 1.
  private static func shape(_ random: inout SplitMix) -> ProblemShape {
    func heads(_ shape: inout ProblemShape, _ most: Int) {
      shape.heads.keyValue = random.int(1...most)
      shape.heads.query = shape.heads.keyValue * random.pick([1, 1, 2, 3, 4])
    }
    var shape = ProblemShape(
      queries: random.int(1...40), keys: random.int(1...70), headDimension: random.int(1...40),
      valueDimension: random.int(1...40))
    shape.batch = random.int(1...4)
    heads(&shape, 3)
    switch random.int(0...99) {
    case 0..<18:
      let edges = [128, 176, 192, 256, 512].flatMap { [$0 - 1, $0, $0 + 1] } + [300, 400, 700]
      (shape.queries, shape.keys) = (random.pick(edges + [1, 3, 9]), random.pick(edges))
      (shape.headDimension, shape.valueDimension) = (random.int(1...24), random.int(1...24))
      shape.batch = random.pick([1, 1, 2])
      shape.heads.keyValue = 1
      shape.heads.query = random.pick([1, 1, 2])
    case 18..<24:
      (shape.headDimension, shape.valueDimension) = (random.int(1...300), random.int(1...300))
      (shape.queries, shape.keys) = (random.int(1...20), random.int(1...20))
    case 24..<30: shape.keys = random.int(0...1)
    case 30..<36: shape.queries = random.int(0...1)
    case 36..<38: shape.batch = 0
    default: break
    }
    return shape
  }

  /// Takes back what does not go together.
  mutating func makeConsistent() {
    // Parts of the keys are cut from tensors.
    if entry == .merged && (source != .tensor || packsQueries) { entry = .withLogSumExp }
    if source == .packed {
      rules.removeAll { if case .keyLengths = $0 { true } else { false } }
      sharing = .none
    }
    if packsQueries {
      rules.removeAll { if case .queryLengths = $0 { true } else { false } }
    }
    // Float64 keys need Float64 queries, and Float16 holds no more than 65504.
    for type in [\PropertyDraw.keyType, \.valueType] {
      if self[keyPath: type] == .float64 && element != .float64 { self[keyPath: type] = nil }
      if self[keyPath: type] == .float16 && (magnitude > 4 || element != .float32) {
        self[keyPath: type] = nil
      }
      // Only Double holds the products of integers and scales, to Float's sums they are near enough; and a row is quantised as a whole: what is visible of it is not poison.
      // Of scores that reach Float's end, queries of 16 bits may choose another largest one.
      let showsPoison = poison == .visible || (poison == .hidden && isOfScores)
      let isExact = element == .float64 || (element == .float32 && precision == .accumulator)
      if self[keyPath: type] == .int8, showsPoison || !isExact || magnitude > 4 {
        self[keyPath: type] = nil
      }
    }
    if entry == .merged {
      // A part of the keys has no sink, and its modifiers see other keys.
      sinks = nil
      rules.removeAll { $0.isModifier }
      keyType = nil
      valueType = nil
      // Nor does Float hold the log-sum-exp of such a part, or that of Double.
      magnitude = min(magnitude, 4)
      precision = .accumulator
      twin = .none
    }
    // A kernel is forced on what it must compute, and no other computes it in its stead.
    if case .forced(let variant) = entry { entry = .forced(able(variant)) }
    if case .scores = entry { twin = twin == .otherThreads ? twin : .none }
    if sharing != .none { poison = .none }
    // Half types end at 65504 and above; ∞ is poison's business.
    if element == .float16 && magnitude > 4 { magnitude = 4 }
    // Pages fill all positions.
    if case .pages(let size) = source { shape.keys = shape.keys / size * size }
  }

  /// Whether scores come out, of which some stages show hidden keys too.
  private var isOfScores: Bool { if case .scores = entry { true } else { false } }

  /// This variant, or one of the same set whose kernel must compute the problem.
  private func able(_ variant: ForcedVariant) -> ForcedVariant {
    let others = ForcedVariant.all.filter { $0.set == variant.set && $0.kernel != variant.kernel }
    return ([variant] + others.reversed()).first { duty(of: $0.kernel).isDue } ?? variant
  }

  /// What the problem asks of a kernel.
  func duty(of kernel: AttentionPlan.Kernel) -> KernelDuty {
    KernelDuty(
      kernel: kernel, isDouble: element == .float64 || precision == .float64, demand: demand,
      width: max(shape.headDimension, shape.valueDimension))
  }

  /// What the hardest of the rules asks.
  var demand: MaskDemand {
    rules.contains { $0.isModifier } ? .modifiers : rules.contains { $0.isTensor } ? .tensors : .ranges
  }

  /// Whether the contract promises Float32 2e-6: inputs of unit variance, and scores that are their products alone.
  var hasUnitVarianceScores: Bool {
    magnitude == 1 && scale == nil && (softcap ?? 0) == 0 && sinks == nil
      && poison != .visible && rules.allSatisfy { !$0.changesScores }
  }
}

extension PropertyDraw: CustomStringConvertible {
  /// What differs from the plainest draw, in one line.
  var description: String {
    var parts = ["seed \(seed) draw \(index):", "\(shape)", "\(element)"]
    if magnitude != 1 { parts.append("inputs times \(magnitude)") }
    if let scale { parts.append("scale \(scale)") }
    if let softcap { parts.append("softcap \(softcap)") }
    if let sinks { parts.append("sinks \(sinks)") }
    if precision != .accumulator { parts.append("softmax in Double") }
    if !rules.isEmpty { parts.append("rules \(rules)") }
    if let alignment { parts.append("aligned \(alignment)") }
    if source != .tensor { parts.append("\(source)") }
    for (name, seed) in zip(["queries", "keys", "values", "output"], storage) where seed != nil {
      parts.append("\(name) strided")
    }
    if packsQueries { parts.append("packed queries") }
    if let keyType { parts.append("keys in \(keyType)") }
    if let valueType { parts.append("values in \(valueType)") }
    if sharing != .none { parts.append("shared by \(sharing)") }
    if poison != .none { parts.append("poison \(poison)") }
    parts.append("\(entry)")
    parts.append("\(threads) threads")
    if twin != .none { parts.append("twin \(twin)") }
    return parts.joined(separator: ", ")
  }
}
