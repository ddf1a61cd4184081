import Foundation
import Testing

@testable import Transformer

@Suite struct SamplerTests {
  /// Numbers that look like logits, the same for the same seed; some of them equal.
  private func logits(_ count: Int, seed: UInt64) -> [Float] {
    var state = seed &* 0x9E37_79B9_7F4A_7C15 | 1
    return (0..<count).map { _ in
      state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
      return Float(Int(state >> 58)) / 4 - 8
    }
  }

  private func sample(_ logits: [Float], _ options: SamplingOptions, after tokens: [Int] = []) throws -> Int {
    var sampler = try Sampler(options)
    return try sampler.sample(logits, after: tokens)
  }

  /// The probabilities that the options leave, by sorting everything.
  private func distribution(_ logits: [Float], _ options: SamplingOptions) -> [Int: Double] {
    let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
    var kept = Array(order.prefix(options.topK ?? logits.count))
    func probabilities() -> [Double] {
      let powers = kept.map { exp(Double(logits[$0] - logits[order[0]]) / options.temperature) }
      return powers.map { $0 / powers.reduce(0, +) }
    }
    if let topP = options.topP, topP < 1 {
      let p = probabilities()
      let count = p.indices.first { p[...$0].reduce(0, +) >= topP } ?? p.count - 1
      kept = Array(kept[...count])
    }
    if let minP = options.minP {
      let p = probabilities()
      kept = kept.indices.filter { p[$0] >= minP * p[0] }.map { kept[$0] }
    }
    return Dictionary(uniqueKeysWithValues: zip(kept, probabilities()))
  }

  private static let options: [SamplingOptions] = [
    SamplingOptions(temperature: 1), SamplingOptions(temperature: 0.7, topK: 5),
    SamplingOptions(temperature: 1.5, topP: 0.8), SamplingOptions(temperature: 2, minP: 0.2),
    SamplingOptions(temperature: 1.3, topK: 12, topP: 0.9, minP: 0.05),
    SamplingOptions(temperature: 1, topK: 1000, topP: 1, minP: 0),
    SamplingOptions(temperature: 1, topP: 1e-9),
  ]

  @Test(arguments: options) func drawsFollowTheDefinition(options: SamplingOptions) throws {
    let logits = logits(40, seed: 3)
    let expected = distribution(logits, options)
    var sampler = try Sampler(options)
    let draws = 20_000
    var counts: [Int: Int] = [:]
    for _ in 0..<draws { counts[try sampler.sample(logits, after: []), default: 0] += 1 }
    #expect(sampler.draws == draws)
    #expect(counts.keys.allSatisfy { expected[$0] != nil }, "\(options): \(counts), expected \(expected)")
    for (token, p) in expected {
      // Five standard deviations of a binomial count.
      let bound = 5 * (Double(draws) * p * (1 - p)).squareRoot() + 1
      let difference = abs(Double(counts[token] ?? 0) - Double(draws) * p)
      #expect(
        difference <= bound,
        "\(options): token \(token) \(counts[token] ?? 0) times, expected \(Double(draws) * p)")
    }
  }

  @Test func largestAreThoseOfASort() {
    for count in [1, 2, 7, 100, 1000] {
      for kept in [0, 1, 3, 99, 2000] {
        let logits = logits(count, seed: UInt64(count))
        let order = logits.indices.sorted { (-logits[$0], $0) < (-logits[$1], $1) }
        #expect(largest(kept, of: logits).map(\.token) == Array(order.prefix(kept)), "\(kept) of \(count)")
      }
    }
  }

  @Test func greedyTakesTheLowestOfEqualLogits() throws {
    #expect(try sample([1, 3, 2, 3], SamplingOptions()) == 1)
    #expect(try sample([-.infinity, -.infinity, -3], SamplingOptions()) == 2)
    #expect(try sample([1, 3, 2, 3], SamplingOptions(temperature: 1, topK: 1)) == 1)
  }

  /// Vectors, what is left behind them, and a place in each for what is no number.
  @Test func largestAndNaNAreFoundWhereverTheyStand() throws {
    for count in [1, 2, 15, 16, 17, 33, 1000] {
      let logits = logits(count, seed: UInt64(count))
      let best = try #require(logits.indices.min { (-logits[$0], $0) < (-logits[$1], $1) })
      #expect(try sample(logits, SamplingOptions()) == best, "\(count) logits")
      for place in 0..<count {
        var changed = logits
        for value in [Float.nan, -.nan, .infinity] {
          changed[place] = value
          let error = #expect(throws: ModelError.self) { try sample(changed, SamplingOptions()) }
          #expect(error?.description.contains("token \(place) ") == true, "\(count) logits")
        }
        changed[place] = -.infinity
        let rest = logits.indices.filter { $0 != place }
        guard let second = rest.min(by: { (-logits[$0], $0) < (-logits[$1], $1) }) else { continue }
        #expect(try sample(changed, SamplingOptions()) == second, "\(count) logits, none of \(place)")
        changed[place] = 100
        #expect(try sample(changed, SamplingOptions()) == place)
      }
    }
  }

  /// Tokens that a Float of 1 would not notice are never drawn, however many they are.
  @Test(arguments: [0.5, 2]) func improbableTokensAreDropped(temperature: Double) throws {
    let bound = Float(temperature * log(0x1p-23))
    for (logit, isDrawn) in [(bound * 1.001, false), (bound * 0.999, true)] {
      // Ten million times 2⁻²³ are more than the one token at the top.
      let logits = [0] + [Float](repeating: logit, count: 10_000_000)
      let drawn = try (0..<3).map {
        try sample(logits, SamplingOptions(temperature: temperature, seed: UInt64($0)))
      }
      #expect(drawn.contains { $0 != 0 } == isDrawn, "\(logit): \(drawn)")
    }
  }

  @Test func seedsDecide() throws {
    let logits = logits(500, seed: 9)
    func tokens(_ seed: UInt64) throws -> [Int] {
      var sampler = try Sampler(SamplingOptions(temperature: 1, seed: seed))
      return try (0..<20).map { _ in try sampler.sample(logits, after: []) }
    }
    #expect(try tokens(1) == tokens(1))
    #expect(try tokens(1) != tokens(2))
  }

  @Test func penaltyCountsRecentTokensOnceAndOnBothSidesOfZero() throws {
    let options = SamplingOptions(repetitionPenalty: 2, repetitionWindow: 3)
    #expect(try sample([4, 3], options, after: [0, 0, 0]) == 1)
    // 4 halved once is 2; twice would be 1.
    #expect(try sample([4, 1.5], options, after: [0, 0, 0]) == 0)
    #expect(try sample([-1, -1.5], options, after: [0]) == 1)
    #expect(try sample([4, 3], options, after: [0, 1, 1, 1]) == 0)
    #expect(try sample([4, 3], options, after: [-1, 7, 1 << 40]) == 0)
    #expect(try sample([3e38, 1], SamplingOptions(repetitionPenalty: 1e-30), after: [1]) == 0)
  }

  @Test(arguments: [1e-300, 1e-5, 1e300]) func extremeTemperaturesStayNumbers(temperature: Double) throws {
    let logits: [Float] = [-3e38, 3e38, 0, -.infinity]
    for seed in 0..<50 {
      let token = try sample(
        logits, SamplingOptions(temperature: temperature, topP: 0.999_999, seed: UInt64(seed)))
      #expect(token != 3 && (temperature > 1 || token == 1), "temperature \(temperature), seed \(seed)")
    }
  }

  @Test func logitsThatAreNoNumbersAreRefused() throws {
    for logits: [Float] in [[], [1, .nan], [.nan], [.nan, 2], [.infinity, 1], [-.infinity, -.infinity]] {
      for options in [SamplingOptions(), SamplingOptions(temperature: 1, topP: 0.5)] {
        #expect(throws: ModelError.self, "\(logits)") { try sample(logits, options) }
      }
    }
  }

  @Test(arguments: [
    SamplingOptions(temperature: -1), SamplingOptions(temperature: .nan),
    SamplingOptions(temperature: .infinity),
    SamplingOptions(topK: 0), SamplingOptions(topP: 0), SamplingOptions(topP: 1.5),
    SamplingOptions(topP: .nan),
    SamplingOptions(minP: -0.1), SamplingOptions(minP: 2), SamplingOptions(repetitionPenalty: 0),
    SamplingOptions(repetitionPenalty: .nan), SamplingOptions(repetitionWindow: -1),
  ]) func optionsOutOfRangeAreRefused(options: SamplingOptions) {
    #expect(throws: ModelError.self) { try Sampler(options) }
  }
}
