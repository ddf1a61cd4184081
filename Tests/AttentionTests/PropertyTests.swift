import Attention
import Foundation
import Testing

/// Random problems, each computed one of the ways that there are, against the Float64 oracle.
///
/// A failure says which draw of which seed it was, and the smallest draw that still fails; a crash says nothing, but halving the
/// draws finds it. To look at other draws:
///
///     ATTENTION_PROPERTY_SEED=7 ATTENTION_PROPERTY_DRAWS=50000 swift test -c release --filter PropertyTests
@Suite struct PropertyTests {
  private static let seed = setting("ATTENTION_PROPERTY_SEED").flatMap { UInt64($0) } ?? 1
  private static let draws = setting("ATTENTION_PROPERTY_DRAWS").flatMap { Int($0) } ?? 4800
  /// Parts run side by side; more of them than there are cores, since draws differ.
  private static let parts = 24

  private static func setting(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }

  @Test(arguments: 0..<parts)
  func everyPathAgreesWithTheOracle(part: Int) {
    for index in stride(from: part, to: Self.draws, by: Self.parts) {
      let draw = PropertyDraw(seed: Self.seed, index: index)
      guard let failure = draw.failure else { continue }
      let (smallest, reason) = draw.smallestFailing(failure)
      Issue.record(
        """
        \(draw)
          \(failure)
        smallest failing: \(smallest)
          \(reason)
        """)
      // One is enough of a part: what breaks a kernel breaks hundreds of draws, and each takes a while to shrink.
      return
    }
  }

  @Test func drawsReachEveryKindOfProblem() {
    // A generator that never makes a kind of problem checks nothing about it.
    let draws = (0..<Self.draws).map { PropertyDraw(seed: Self.seed, index: $0) }
    func count(_ isOne: (PropertyDraw) -> Bool) -> Int { draws.filter(isOne).count }
    let fewest = min(10, draws.count / 240)
    for element in PropertyDraw.Element.allCases { #expect(count { $0.element == element } >= fewest) }
    for variant in ForcedVariant.all {
      let forced = draws.filter { $0.entry == .forced(variant) }
      #expect(forced.count >= fewest && forced.allSatisfy { $0.duty(of: variant.kernel).isDue }, "\(variant)")
      for element in PropertyDraw.Element.allCases {
        let duty = KernelDuty(kernel: variant.kernel, isDouble: element == .float64)
        let runs = forced.count { $0.element == element }
        #expect(duty.isDue ? runs >= fewest / 5 : runs == 0, "\(variant) in \(element)")
      }
      for demand in MaskDemand.allCases {
        let duty = KernelDuty(kernel: variant.kernel, demand: demand)
        let runs = forced.count { $0.demand == demand }
        #expect(duty.isDue ? runs >= fewest / 5 : runs == 0, "\(variant) under \(demand)")
      }
    }
    for twin in PropertyDraw.Twin.allCases { #expect(count { $0.twin == twin } >= fewest) }
    for stage in ScoreStage.allCases {
      #expect(count { $0.entry == .scores(stage, someRows: true) } >= fewest)
    }
    #expect(count { $0.source == .packed } >= fewest)
    #expect(count { if case .pages = $0.source { true } else { false } } >= fewest)
    #expect(count { if case .joined = $0.source { true } else { false } } >= fewest)
    #expect(count { $0.softcap != nil && $0.sinks != nil && !$0.rules.isEmpty } >= fewest)
    #expect(count { $0.shape.queries > 192 && $0.shape.keys > 512 } >= fewest)
  }
}
