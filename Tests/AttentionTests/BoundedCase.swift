import Attention
import Foundation
import TestSupport

/// Keys of two planes made to be hard on bounds, with what attention over them is, in Double and by the definition.
struct BoundedCase {
  /// What is hard about the keys.
  enum Kind: Int, CaseIterable {
    case normal
    /// All alike but for a little: weights are even, and every key's error counts.
    case close
    /// Some far larger than others: few weights count.
    case steep
    /// What the high bytes leave out points the way of a query, or the other way: nothing is lost in the inequality of Cauchy and Schwarz.
    case aligned
    /// As large as scores may be before exponentials round to 0, and larger.
    case huge
    /// Zeros and ties among them.
    case flat
  }

  let kind: Kind
  let groups: HeadCounts
  let depth: Int
  let width: Int
  let keyCount: Int
  let queryCount: Int
  let isCausal: Bool
  /// `[T, Hkv, D]` and `[T, Hkv, Dv]`
  let keys: Tensor<Float>
  let values: Tensor<Float>
  /// `[Tq, Hq, D]`
  let queries: Tensor<Float>

  init(_ number: Int, keyCount: Int? = nil) {
    var random = SplitMix(seed: UInt64(number) &* 0x9E37_79B9_7F4A_7C15 &+ 5)
    kind = Kind.allCases[number % Kind.allCases.count]
    let keyHeads = random.int(1...2)
    groups = HeadCounts(query: keyHeads * random.int(1...4), keyValue: keyHeads)
    depth = [1, 3, 16, 24, 33, 64, 80, 128][random.int(0...7)]
    width = [1, 5, 16][random.int(0...2)]
    self.keyCount = keyCount ?? random.int(1...260)
    queryCount = min(self.keyCount, random.int(1...80))
    isCausal = random.int(0...1) == 0
    let size = [0.3, 1, 3][random.int(0...2)]
    let (kind, depth, keyCount, queryCount, groups) = (kind, depth, self.keyCount, queryCount, groups)
    let queries = (0..<queryCount * groups.query * depth).map { _ -> Float in
      // Components of one size: the length of such a query is that of its sum along the signs.
      kind == .aligned
        ? Float(size) * (random.int(0...1) == 0 ? 1 : -1) : Float(size * random.normal())
    }
    let center = (0..<depth).map { _ in random.normal() }
    let keys = (0..<keyCount * groups.keyValue).flatMap { row -> [Float] in
      let head = row % groups.keyValue
      let query = queries.dropFirst(head * (groups.query / groups.keyValue) * depth)
      let sign: Float = random.int(0...1) == 0 ? 1 : -1
      let growth = random.normal()
      return (0..<depth).map { column in
        switch kind {
        case .normal: return Float(random.normal())
        case .close: return Float(center[column] + 0.02 * random.normal())
        case .steep: return Float(growth * growth * growth * random.normal())
        case .aligned:
          // The first column makes a unit of 2^-13; the others have low bytes of 127.
          let integer = Float(256 * random.int(-60...60))
          let low: Float = query[query.startIndex + column] * sign > 0 ? 127 : -127
          return column == 0 ? 32639 * 0x1p-13 : (integer + low) * 0x1p-13
        case .huge: return Float(1e3 * random.normal())
        case .flat: return Float(random.int(-1...1))
        }
      }
    }
    self.queries = try! Tensor(queries, shape: [queryCount, groups.query, depth])
    self.keys = try! Tensor(keys, shape: [keyCount, groups.keyValue, depth])
    let values = (0..<keyCount * groups.keyValue * width).map { _ in
      random.int(0...3) == 0 ? Float(random.normal()) : random.int(0...1) == 0 ? 1 : -1
    }
    self.values = try! Tensor(values, shape: [keyCount, groups.keyValue, width])
  }

  /// A step of a cache that holds all keys, the queries' last.
  func step(pageSize: Int, values: KeyValueType = .float32) throws -> KeyValueStep {
    let pool = try KeyValuePool(
      layers: 1, heads: groups.keyValue, depth: depth, width: width, keys: .planes, values: values,
      pageSize: pageSize, pages: (keyCount + pageSize - 1) / pageSize)
    let step = try KeyValueStep([pool.makeSequence()], appending: [keyCount])
    try step.write(layer: 0, keys: keys, values: self.values)
    return step
  }

  /// What 16 bits keep of the keys, `unit · integer` in Double.
  private func storedKeys() -> [Double] {
    let elements = keys.elements
    var stored = [Double](repeating: 0, count: elements.count)
    for row in stride(from: 0, to: elements.count, by: depth) {
      let unit = elements[row..<row + depth].map(\.magnitude).max()! / 32639
      if unit == 0 { continue }
      for column in row..<row + depth {
        let integer = (elements[column] / unit).rounded(.toNearestOrEven)
        stored[column] = Double(unit) * Double(integer)
      }
    }
    return stored
  }

  /// Calls `body` with the output of each row over the keys that are stored, and the largest value that the row sees.
  func forEachRow(_ body: (_ query: Int, _ head: Int, _ output: [Double], _ largest: Double) -> Void) {
    let (keys, queries, values) = (storedKeys(), self.queries.elements, self.values.elements)
    let scale = 1 / Double(depth).squareRoot()
    let group = groups.query / groups.keyValue
    for query in 0..<queryCount {
      let seen = isCausal ? keyCount - queryCount + query + 1 : keyCount
      for head in 0..<groups.query {
        let q = queries[(query * groups.query + head) * depth..<(query * groups.query + head + 1) * depth]
          .map(Double.init)
        var scores = [Double](repeating: 0, count: seen)
        for key in 0..<seen {
          let row = (key * groups.keyValue + head / group) * depth
          var sum = 0.0
          for column in 0..<depth { sum += q[column] * keys[row + column] }
          scores[key] = scale * sum
        }
        let largestScore = scores.max()!
        var (output, total, largest) = ([Double](repeating: 0, count: width), 0.0, 0.0)
        for key in 0..<seen {
          let weight = exp(scores[key] - largestScore)
          total += weight
          let row = (key * groups.keyValue + head / group) * width
          for column in 0..<width {
            output[column] += weight * Double(values[row + column])
            largest = max(largest, Double(values[row + column].magnitude))
          }
        }
        body(query, head, output.map { $0 / total }, largest)
      }
    }
  }
}

extension SplitMix {
  fileprivate mutating func int(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  /// Nearly normal, of variance 1: twelve uniform numbers added up.
  fileprivate mutating func normal() -> Double {
    (0..<12).reduce(-6) { sum, _ in sum + Double.random(in: 0..<1, using: &self) }
  }
}
