import Attention
import AttentionReference

/// What an attention under test does to its scores, and the same in the reference's words.
struct ScoreCase {
  var mask = AttentionMask.none
  /// What kernels must be able to do for the mask.
  var demand = MaskDemand.ranges
  var options = AttentionOptions()
  /// What the mask adds to a score.
  var bias: ScoreRules.Rule<Double>?
  /// Which keys the mask leaves.
  var isVisible: ScoreRules.Rule<Bool>?

  /// The reference's rules.
  func rules(scale: Double?) -> ScoreRules {
    ScoreRules(
      scale: scale, softcap: options.softcap, sinks: options.sinks, isVisible: isVisible, bias: bias)
  }
}
