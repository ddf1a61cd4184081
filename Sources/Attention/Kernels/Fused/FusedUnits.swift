import CAttentionKernels

/// The units that the fused kernel counts scores in.
///
/// Queries are packed as they are, negated where the scale is below 0: nothing is rounded to other units before the difference of two
/// scores is taken. Products are the scores, and the scale is a part of `factor`: caps and slopes are divided by it instead. Biases ask for
/// scores as the formula has them.
struct FusedUnits {
  /// What products are multiplied with, at least 0.
  let scale: Float
  /// What differences of scores are multiplied with: then they count powers of two.
  let factor: Float
  /// What makes a score that of the formula.
  let natural: Double
  /// What scores are capped at; 0 for no cap.
  let softcap: Float
  /// A power of two in the formula's units, by the factor as it was rounded: that is what shifts count.
  private let step: Double
  /// 1 where queries are negated, else 0.
  let negatesQueries: Int32
  /// Above this size, products of bfloat16 pairs are not trusted: keys below 2^−126 count as 0 there, and a score would be off by more
  /// than 1.2e-8 a column.
  let largestPairedQuery: Float

  /// Scales that caps and slopes can be divided by, and caps that can be divided: quotients stay far inside Float's range.
  private static let usual = 1e-6...1e6

  init(_ problem: AttentionProblem) {
    let size = problem.scale.magnitude
    let rules = problem.scoring
    let isDivided = rules.softcap != nil || rules.alibiSlopes != nil
    let isUsual = Self.usual.contains(size) && Self.usual.contains(rules.softcap ?? 1)
    let isFormula = rules.biases != nil || (isDivided && !isUsual)
    scale = isFormula ? Float(size) : 1
    let natural = isFormula ? 1 : size
    self.natural = natural
    softcap = rules.softcap.map { Float($0 / natural) } ?? 0
    factor = Float(natural * binaryOrders)
    step = factor > 0 ? natural / Double(factor) : 1 / binaryOrders
    negatesQueries = problem.scale < 0 ? 1 : 0
    largestPairedQuery = Float(1e30 / size)
  }

  /// The logarithm of what counts as 1 among a lane's weights, in Double: it is large where scores are.
  func maximum(_ panel: CAttentionKernels_panel, _ lane: Int) -> Double {
    Double(panel.origin[lane]) * natural - Double(panel.shift[lane]) * step
  }
}
