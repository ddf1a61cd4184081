import Attention
import AttentionReference
import TestSupport

/// Computes a draw and holds it against the oracle and against its twin.
struct PropertyCheck<E: AttentionElement> {
  private let draw: PropertyDraw
  private let call: PropertyCall<E>
  private let references: [PropertyReference<E>]

  /// What is wrong, or nil.
  static func failure(of draw: PropertyDraw) -> String? {
    do {
      let check = try PropertyCheck(draw)
      if case .scores(let stage, let someRows) = draw.entry { return try check.scores(stage, someRows) }
      let result = try check.call.run()
      return try check.againstOracle(result) ?? check.againstTwin(result)
    } catch {
      return "threw \(error)"
    }
  }

  private init(_ draw: PropertyDraw) throws {
    self.draw = draw
    let call = try PropertyCall<E>(draw)
    self.call = call
    references = call.problem.sequences.indices.map { PropertyReference(call, sequence: $0) }
  }

  /// A query of the draw, and what belongs to it in results.
  private struct Row {
    let sequence: Int
    let head: Int
    let query: Int
    let outputRow: Int
    let logSumExpRow: Int
  }

  /// Scores that a draw is checked for, about: the oracle takes some tenth of a microsecond for each.
  private static var mostScores: Int { 12_000 }

  /// All rows, or some of each part of the problem where there are many: always the first and the last.
  private func rows() -> [Row] {
    var rows: [Row] = []
    let (heads, longest) = (draw.shape.heads.query, draw.shape.queries)
    let total = call.inputs.queries.shape[0]
    for (b, extent) in call.problem.sequences.enumerated() {
      let count = draw.packsQueries ? extent.queryCount : longest
      for h in 0..<heads {
        for i in 0..<count {
          let packed = extent.queryStart + i
          rows.append(
            draw.packsQueries
              ? Row(
                sequence: b, head: h, query: i, outputRow: packed * heads + h,
                logSumExpRow: h * total + packed)
              : Row(
                sequence: b, head: h, query: i, outputRow: (b * heads + h) * longest + i,
                logSumExpRow: (b * heads + h) * longest + i))
        }
      }
    }
    let most = max(16, Self.mostScores / max(1, call.problem.longestKeys))
    if rows.count <= most { return rows }
    var random = SplitMix(seed: draw.dataSeed &+ 53)
    let last = rows.count - 1
    return (0..<most).map { rows[$0 == 0 ? 0 : $0 == 1 ? last : random.int(0...last)] }
  }

  /// How far results may be off.
  ///
  /// The contract's 2e-6 where it promises that; in Double the same ulps, times 2⁻²⁹ and twice, and what narrower types round off.
  /// Else its rule, twice the naive computation's error plus 1e-5, and what rounding does to scores of this size: the naive error of a
  /// few rows may be small by luck. A score that is a sum of terms of `size` in all is off by some `u · size`, with `u` half a step of
  /// 1, and so is every weight, in parts of itself: 16 of them for the handful of operations that a score passes through.
  private func tolerances(
    _ rows: [Row], _ expected: [[Double]], _ references: [PropertyReference<E>]
  ) -> (output: Tolerance, logSumExp: Tolerance) {
    let isDouble = E.elementType == .float64 || draw.precision == .float64
    // Decode rounds queries that meet Int8 to 16 bits of a row's largest.
    let roundsQueries = !isDouble && draw.keyType == .int8
    let step = isDouble ? 0x1p-53 : roundsQueries ? 0x1p-16 : 0x1p-24
    // The oracle, in Double itself, rounds as much as what is compared with it: twice the ulps.
    let ulps = isDouble ? 2 * 0x1p-29 : 1
    let isNarrowed = isDouble && E.elementType != .float64
    // Half a step of the smallest Float16 is 2⁻²⁵.
    let rounding = Tolerance(
      relative: E.elementType.unitRoundoff, absolute: E.elementType == .float16 ? 0x1p-25 : 0)
    let sumRounding = isNarrowed ? 0x1p-24 : 1e-6 * ulps
    if draw.hasUnitVarianceScores && roundsQueries && draw.entry != .merged {
      let largest = call.inputs.values.elements.map(\.doubleValue.magnitude).filter(\.isFinite).max() ?? 0
      return (Tolerance(absolute: 0x1p-14 * largest), Tolerance(relative: sumRounding, absolute: 0x1p-14))
    }
    if draw.hasUnitVarianceScores && (isDouble || E.elementType == .float32) && draw.entry != .merged {
      return (
        Tolerance(
          relative: isNarrowed ? rounding.relative : 0, absolute: 2e-6 * ulps + rounding.absolute),
        Tolerance(relative: sumRounding, absolute: 2e-6 * ulps)
      )
    }
    var (naiveError, scoreSize, valueSize) = (0.0, 0.0, 0.0)
    for (row, expected) in zip(rows, expected) {
      let naive = references[row.sequence].naive(head: row.head, query: row.query)
      for (a, b) in zip(naive.output, expected) where abs(a - b).isFinite {
        naiveError = max(naiveError, abs(a - b))
      }
      // The textbook rounds its weights to the inputs' type, which Double does not.
      if isNarrowed { naiveError = 0 }
      scoreSize = max(scoreSize, naive.scoreSize)
      valueSize = max(valueSize, naive.valueSize)
    }
    let scoreError = 16 * step * scoreSize
    // Scores of this magnitude leave one key with all the weight: which one, no rounding changes.
    let weightError = draw.magnitude > 1e6 ? 0 : scoreError
    // Merging rounds to the inputs' type once for each part, and once more.
    let merging = draw.entry == .merged ? 2 * E.elementType.unitRoundoff * valueSize : 0
    return (
      // Where the naive computation is not finite, it does not say that results are rounded to their type.
      Tolerance(
        relative: rounding.relative,
        absolute: 2 * naiveError + 1e-5 * ulps + weightError * valueSize + merging + rounding.absolute),
      Tolerance(relative: sumRounding, absolute: 2e-6 * ulps + scoreError)
    )
  }

  private func againstOracle(_ result: PropertyResult) -> String? {
    let rows = rows()
    let expected = rows.map {
      references[$0.sequence].oracle.row(sequence: 0, head: $0.head, query: $0.query)
    }
    let tolerance = tolerances(rows, expected.map(\.output), references)
    let width = draw.shape.valueDimension
    for (row, expected) in zip(rows, expected) {
      let place = "sequence \(row.sequence) head \(row.head) query \(row.query)"
      for (column, value) in expected.output.enumerated() {
        let actual = result.output[row.outputRow * width + column]
        if !tolerance.output.accepts(actual, expected: value) {
          return
            "output \(actual) at \(place) column \(column), expected \(value) within \(tolerance.output.absolute)"
        }
      }
      guard let sums = result.logSumExp else { continue }
      // A sum beyond Float's range is ∞ there.
      let sum = E.Accumulator(nearest: expected.logSumExp).doubleValue
      if !tolerance.logSumExp.accepts(sums[row.logSumExpRow], expected: sum) {
        return
          "log-sum-exp \(sums[row.logSumExpRow]) at \(place), expected \(sum) within \(tolerance.logSumExp)"
      }
    }
    return unusedRows(result)
  }

  /// Rows of packed tensors that are no sequence's hold 0 and −∞.
  private func unusedRows(_ result: PropertyResult) -> String? {
    guard draw.packsQueries else { return nil }
    let total = call.inputs.queries.shape[0]
    let used = call.problem.sequences.last.map { $0.queryStart + $0.queryCount } ?? 0
    let width = draw.shape.heads.query * draw.shape.valueDimension
    if !result.output.dropFirst(used * width).allSatisfy({ $0 == 0 }) {
      return "output past the last sequence"
    }
    guard let sums = result.logSumExp else { return nil }
    for h in 0..<draw.shape.heads.query {
      for row in used..<total where sums[h * total + row] != -.infinity {
        return "log-sum-exp past the last sequence"
      }
    }
    return nil
  }

  private func againstTwin(_ result: PropertyResult) throws -> String? {
    switch draw.twin {
    case .none: return nil
    case .otherThreads:
      let other = try call.run(on: Pools.of(draw.threads == 1 ? 7 : 1))
      return result == other ? nil : "not the same bits on another number of threads"
    case .contiguousTensor:
      let other = try call.run(on: Pools.of(draw.threads), isPlain: true)
      return result == other ? nil : "not the same bits from one contiguous tensor"
    case .sequenceAlone:
      guard !references.isEmpty else { return nil }
      let b = Int(draw.dataSeed % UInt64(references.count))
      let alone = try call.run(on: Pools.of(draw.threads), only: b)
      return sequence(b, of: result) == alone ? nil : "not the same bits for sequence \(b) alone"
    }
  }

  /// The part of a result that is one sequence's, as a batch of one.
  private func sequence(_ b: Int, of result: PropertyResult) -> PropertyResult {
    let (heads, width) = (draw.shape.heads.query, draw.shape.valueDimension)
    let extent = call.problem.sequences[b]
    let isPacked = draw.packsQueries
    let total = call.inputs.queries.shape[0]
    let count = isPacked ? extent.queryCount : draw.shape.queries
    var part = result
    part.output = []
    var sums: [Double] = []
    for h in 0..<heads {
      for i in 0..<count {
        let row = isPacked ? (extent.queryStart + i) * heads + h : (b * heads + h) * count + i
        part.output += result.output[row * width..<(row + 1) * width]
        let sumRow = isPacked ? h * total + extent.queryStart + i : row
        if let all = result.logSumExp { sums.append(all[sumRow]) }
      }
    }
    part.logSumExp = result.logSumExp == nil ? nil : sums
    return part
  }
}

extension PropertyCheck {
  /// Scores at a stage, of all rows or of some.
  private func scores(_ stage: ScoreStage, _ someRows: Bool) throws -> String? {
    let isPacked = draw.packsQueries
    let count = isPacked ? call.inputs.queries.shape[0] : draw.shape.queries
    let keys = call.problem.longestKeys
    let part = someRows ? count / 3..<count - count / 4 : 0..<count
    func run(_ threads: Int) throws -> PropertyResult {
      let scores = try call.problem.attention(on: Pools.of(threads)).scores(
        call.inputs.operand(), call.inputs.keyValues(), stage: stage, rows: someRows ? part : nil)
      return PropertyResult(scores, nil as Tensor<Float>?)
    }
    let result = try run(draw.threads)
    func place(_ row: Row) -> Int {
      isPacked ? call.problem.sequences[row.sequence].queryStart + row.query : row.query
    }
    let rows = rows().filter { part.contains(place($0)) }
    let stages = references.map { $0.at(stage) }
    let expected = rows.map { stages[$0.sequence].scores(stage, head: $0.head, query: $0.query) }
    let tolerance = tolerances(rows, rows.map { _ in [] }, stages).logSumExp
    for (row, expected) in zip(rows, expected) {
      let sequence = isPacked ? 0 : row.sequence
      let number =
        (sequence * draw.shape.heads.query + row.head) * part.count + place(row) - part.lowerBound
      for (key, score) in expected.prefix(keys).enumerated() {
        let actual = result.output[number * keys + key]
        if !tolerance.accepts(actual, expected: E.Accumulator(nearest: score).doubleValue) {
          return
            "\(stage) \(actual) at sequence \(row.sequence) head \(row.head) query \(row.query) key \(key), "
            + "expected \(score) within \(tolerance)"
        }
      }
    }
    if draw.twin == .otherThreads, try run(draw.threads == 1 ? 7 : 1) != result {
      return "not the same bits on another number of threads"
    }
    return nil
  }
}

extension PropertyReference {
  /// The reference for scores of a stage: at the first two, all keys of the sequence count.
  func at(_ stage: ScoreStage) -> PropertyReference {
    if stage == .biased || stage == .weights { return self }
    var reference = self
    // The first rule is that of the lengths.
    let (exists, b) = (rules.visible[0], sequence)
    reference.rules = PropertyProblem.Rules(visible: [exists])
    reference.oracle.rules.isVisible = { exists(b, $1, $2, $3) }
    (reference.oracle.rules.bias, reference.oracle.modifier) = (nil, nil)
    if stage == .scaled { reference.oracle.rules.softcap = nil }
    return reference
  }

  /// The scores of a query at one stage.
  func scores(_ stage: ScoreStage, head: Int, query: Int) -> [Double] {
    stage == .weights
      ? oracle.weights(sequence: 0, head: head, query: query)
      : oracle.scores(sequence: 0, head: head, query: query)
  }
}
