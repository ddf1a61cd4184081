/// What is left of a run, in words for people who wait.
package enum Remaining {
  /// `, 3 more, about 20 s left`: when one of several things begins. Each takes as long as those before it, for all that is known.
  ///
  /// - Parameters:
  ///   - begun: how many have begun, this one included.
  ///   - count: how many there are.
  ///   - seconds: how long those took that are over.
  package static func words(begun: Int, of count: Int, seconds: Double) -> String {
    let left = count - begun
    let later = left == 0 ? ", the last" : ", \(left) more"
    if begun < 2 { return later }
    return later + ", about \(duration(seconds / Double(begun - 1) * Double(left + 1))) left"
  }

  private static func duration(_ seconds: Double) -> String {
    // Whoever waits for more than a year can read that it is long.
    let whole = Int(min(max(seconds, 1), 1e8).rounded(.up))
    switch whole {
    case ..<90: return "\(whole) s"
    case ..<5400: return "\((whole + 30) / 60) min"
    default: return "\((whole + 1800) / 3600) h"
    }
  }
}
