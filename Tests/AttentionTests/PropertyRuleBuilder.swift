import Attention
import TestSupport

/// Turns the rules of a draw into the operator's form and into definitions.
struct PropertyRuleBuilder {
  private let draw: PropertyDraw
  private let extents: [PropertyProblem.Extent]
  /// `[B, Hq, Tq, Tk]`
  private let sizes: [Int]

  init(_ draw: PropertyDraw, _ extents: [PropertyProblem.Extent], _ sizes: [Int]) {
    self.draw = draw
    self.extents = extents
    self.sizes = sizes
  }

  /// Adds the definition of a rule; its mask for all sequences or for one alone.
  func add(
    _ rule: PropertyRule, to rules: inout PropertyProblem.Rules
  ) throws -> (_ only: Int?) throws -> AttentionMask {
    let extents = extents
    func position(_ b: Int, _ i: Int) -> Int { i + extents[b].offset }
    switch rule {
    case .causal:
      rules.visible.append { b, _, i, j in j <= position(b, i) }
      return { .causal(alignment(only: $0) ?? .bottomRight) }
    case .window(let left, let right, let keepsFirst):
      // All rules of a mask keep the same number.
      let kept = keepsFirst ? 1 + Int(draw.dataSeed % 9) : 0
      rules.visible.append { b, _, i, j in
        j < kept
          || (left.map { j >= position(b, i) - $0 } ?? true)
            && (right.map { j <= position(b, i) + $0 } ?? true)
      }
      return { .window(left: left, right: right, keepingFirst: kept, alignment(only: $0)) }
    case .keyRange(let range):
      rules.visible.append { b, _, i, j in range.range(i, position(b, i), extents[b].keyCount).contains(j) }
      return { .keyRange(range, alignment(only: $0)) }
    // Lengths are said by keys, values and queries.
    case .keyLengths, .queryLengths: return { _ in .none }
    case .boolean(let tensor):
      let (mask, element) = try booleans(tensor)
      let keys = keyCount(tensor)
      rules.visible.append { b, h, i, j in (j < keys || keys == 1) && element(b, h, i, j) }
      return { .boolean(part(mask, tensor, only: $0)) }
    case .additive(let tensor, let type, let size): return try addBias(tensor, type, size, to: &rules)
    case .alibi(let seed):
      var random = SplitMix(seed: seed)
      let slopes =
        random.chance(50) && sizes[1] > 0
        ? AttentionMask.alibiSlopes(heads: sizes[1]) : (0..<sizes[1]).map { _ in 0.3 * random.unit() }
      rules.biases.append { b, h, i, j in -slopes[h] * Double(abs(position(b, i) - j)) }
      return { .alibi(slopes: slopes, alignment(only: $0)) }
    case .modifier(let modifier, let isTile):
      rules.modifiers.append { score, b, h, i, j in modifier.change(score, h, i, position(b, i), j) }
      return { .modifier(Self.scoreModifier(modifier, isTile: isTile), alignment(only: $0)) }
    }
  }

  private func addBias(
    _ tensor: PropertyRule.MaskTensor, _ type: PropertyDraw.Element, _ size: Double,
    to rules: inout PropertyProblem.Rules
  ) throws -> (Int?) throws -> AttentionMask {
    switch type {
    case .float32: try addBias(tensor, Float.self, size, to: &rules)
    case .float64: try addBias(tensor, Double.self, size, to: &rules)
    case .float16: try addBias(tensor, Float16.self, size, to: &rules)
    case .bfloat16: try addBias(tensor, BFloat16.self, size, to: &rules)
    }
  }

  private func addBias<E: AttentionElement>(
    _ tensor: PropertyRule.MaskTensor, _: E.Type, _ size: Double, to rules: inout PropertyProblem.Rules
  ) throws -> (Int?) throws -> AttentionMask {
    let keys = keyCount(tensor)
    if keys > 1 || sizes[3] <= 1 { rules.visible.append { _, _, _, j in j < keys } }
    // Biases are added in the accumulation type.
    let isDouble = draw.element == .float64 || draw.precision == .float64
    let isPoisoned = draw.poison == .visible
    let (mask, element) = try elements(tensor, filler: E(nearest: .nan)) { random, _ in
      let place = random.int(0...999)
      let value = size * random.unit()
      if place < 90 { return E(nearest: -.infinity) }
      return E(nearest: isPoisoned && place < 92 ? .nan : isPoisoned && place < 94 ? .infinity : value)
    }
    rules.biases.append { b, h, i, j in
      let value = element(b, h, i, j).doubleValue
      return isDouble ? value : Double(Float(value))
    }
    return { .additive(part(mask, tensor, only: $0)) }
  }

  private func booleans(
    _ tensor: PropertyRule.MaskTensor
  ) throws -> (Tensor<Bool>, (Int, Int, Int, Int) -> Bool) {
    try elements(tensor, filler: tensor.seed % 2 == 0) { random, row in
      let isVisible = random.chance(65)
      return isVisible && row % 7 != Int(tensor.seed % 7)
    }
  }

  /// A mask tensor of four axes, stored as asked, and what it says.
  private func elements<E: TensorElement>(
    _ tensor: PropertyRule.MaskTensor, filler: E, _ make: (inout SplitMix, _ row: Int) -> E
  ) throws -> (Tensor<E>, (Int, Int, Int, Int) -> E) {
    var shape: Shape = [1, 1, 1, keyCount(tensor)]
    for axis in 0..<3 where tensor.spans[axis] { shape[axis] = sizes[axis] }
    var random = SplitMix(seed: tensor.seed)
    let width = max(1, shape[3])
    let elements = (0..<shape.reduce(1, *)).map { make(&random, $0 / width) }
    var steps = [shape[1] * shape[2] * shape[3], shape[2] * shape[3], shape[3], 1]
    for axis in 0..<3 where !tensor.spans[axis] { steps[axis] = 0 }
    if !tensor.spans[3] { steps[3] = 0 }
    let stored = try PropertyStorage.store(
      Tensor(elements, shape: shape), seed: tensor.storage, filler: filler)
    let (s0, s1, s2, s3) = (steps[0], steps[1], steps[2], steps[3])
    return (stored, { elements[$0 * s0 + $1 * s1 + $2 * s2 + $3 * s3] })
  }

  /// The last axis of a mask tensor.
  private func keyCount(_ tensor: PropertyRule.MaskTensor) -> Int {
    if !tensor.spans[3] { return 1 }
    return tensor.isShort && sizes[3] > 3 ? 2 + Int(tensor.seed % UInt64(sizes[3] - 2)) : sizes[3]
  }

  /// The part of a mask tensor that one sequence looks at, or all of it.
  private func part<E>(
    _ mask: Tensor<E>, _ tensor: PropertyRule.MaskTensor, only sequence: Int?
  ) -> Tensor<E> {
    var mask = mask
    if let sequence {
      if tensor.spans[0] { mask = mask.sliced(axis: 0, sequence..<sequence + 1) }
      let extent = extents[sequence]
      if tensor.spans[2] && draw.packsQueries { mask = mask.sliced(axis: 2, 0..<extent.queryCount) }
      if tensor.spans[3] && sizesKeysByLongest {
        mask = mask.sliced(axis: 3, 0..<min(mask.shape[3], extent.keyCount))
      }
    }
    while tensor.dropsLeadingAxes, mask.rank > 1, mask.shape[0] == 1 { mask = mask.selected(axis: 0, 0) }
    return mask
  }

  /// Whether `Tk` is the longest sequence's number of keys.
  private var sizesKeysByLongest: Bool {
    switch draw.source {
    case .tensor, .joined: false
    case .pages, .packed: true
    }
  }

  private func alignment(only sequence: Int?) -> QueryAlignment? {
    draw.alignment.map { alignment in
      switch alignment {
      case .bottomRight: .bottomRight
      case .topLeft: .topLeft
      case .offset(let offset): .offset(offset)
      case .offsets: .offsets(sequence.map { [extents[$0].offset] } ?? extents.map(\.offset))
      }
    }
  }

  private static func scoreModifier(_ modifier: PropertyRule.Modifier, isTile: Bool) -> ScoreModifier {
    if !isTile {
      return ScoreModifier { modifier.change($0, $1.head, $1.query, $1.position, $1.key) }
    }
    @Sendable func change<Scalar: BinaryFloatingPoint & SendableMetatype>(_ block: ScoreBlock<Scalar>) {
      for row in 0..<block.rowCount {
        let (first, scores) = (block.place(row), block.scores(row))
        for column in scores.indices {
          scores[column] = Scalar(
            modifier.change(
              Double(scores[column]), first.head, first.query, first.position, first.key + column))
        }
      }
    }
    return ScoreModifier(float: { change($0) }, double: { change($0) })
  }
}
