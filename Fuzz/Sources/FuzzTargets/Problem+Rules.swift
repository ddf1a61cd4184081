import Attention
import AttentionReference

extension Problem {
  /// The rules as users compose them.
  func mask() throws(AttentionError) -> AttentionMask {
    var mask = AttentionMask.none
    for rule in rules { mask = mask & (try part(rule)) }
    return mask
  }

  private func part(_ rule: Rule) throws(AttentionError) -> AttentionMask {
    switch rule {
    case .causal: return .causal(alignment ?? .bottomRight)
    case .window(let left, let right, let kept):
      return .window(left: left, right: right, keepingFirst: kept, alignment)
    case .alibi: return .alibi(slopes: slopes, alignment)
    case .boolean(let axes, let seed):
      let shape = maskShape(axes)
      return .boolean(try Tensor((0..<count(shape)).map { isVisible($0, seed) }, shape: shape))
    case .additive(let axes, let seed):
      let shape = maskShape(axes)
      return .additive(try Tensor((0..<count(shape)).map { Float(bias($0, seed)) }, shape: shape))
    }
  }

  /// The rules as the contract defines them.
  var definition: ScoreRules {
    ScoreRules(
      scale: scale, softcap: softcap, sinks: sinks,
      isVisible: { b, h, i, j in
        if i >= queryLengths[b] || j >= keyLengths[b] { return false }
        let position = i + offset(b)
        return rules.allSatisfy { rule in
          switch rule {
          case .causal: j <= position
          case .window(let left, let right, let kept):
            (left.map { j >= position - $0 } ?? true) && (right.map { j <= position + $0 } ?? true)
              || j < kept
          case .boolean(let axes, let seed): isVisible(place(axes, b, h, i, j), seed)
          case .additive, .alibi: true
          }
        }
      },
      bias: { b, h, i, j in
        rules.reduce(0) { sum, rule in
          switch rule {
          case .additive(let axes, let seed): sum + bias(place(axes, b, h, i, j), seed)
          case .alibi: sum - slopes[h] * Double(abs(i + offset(b) - j))
          case .causal, .window, .boolean: sum
          }
        }
      })
  }

  /// The largest sum of biases.
  var largestBias: Double {
    rules.reduce(0) { sum, rule in
      switch rule {
      case .additive: sum + 4
      case .alibi: sum + Double(queries + keys + 60)
      case .causal, .window, .boolean: sum
      }
    }
  }

  private var slopes: [Double] { (0..<queryHeads).map { Double($0 % 5) / 8 } }

  private func isVisible(_ place: Int, _ seed: Int) -> Bool { (place * 31 + seed) % 251 % 4 != 0 }

  private func bias(_ place: Int, _ seed: Int) -> Double {
    let number = (place * 31 + seed) % 251
    return number % 11 == 0 ? -.infinity : Double(number) / 64 - 2
  }

  /// The lengths of a mask's axes: 1 where it is broadcast. A last axis of 1 is one too.
  private func maskShape(_ axes: [Bool]) -> Shape {
    Shape(zip(axes, [batch, queryHeads, queries, keys]).map { $0 ? $1 : 1 })
  }

  private func count(_ shape: Shape) -> Int { shape.reduce(1, *) }

  private func place(_ axes: [Bool], _ b: Int, _ h: Int, _ i: Int, _ j: Int) -> Int {
    let shape = maskShape(axes)
    return zip(zip(axes, [b, h, i, j]), shape).reduce(0) { $0 * $1.1 + ($1.0.0 ? $1.0.1 : 0) }
  }
}
