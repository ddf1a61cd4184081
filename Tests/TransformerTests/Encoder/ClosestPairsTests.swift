import Tensors
import Testing
import Transformer

@Suite struct ClosestPairsTests {
  @Test(arguments: [(2, 3), (7, 1), (300, 8), (600, 5)]) func findsWhatLookingAtEachPairFinds(
    rows: Int, width: Int
  ) throws {
    let vectors = Tensor<Float>.normal([rows, width], seed: UInt64(rows))
    let numbers = vectors.elements.map(Double.init)
    func product(_ a: Int, _ b: Int) -> Double {
      (0..<width).reduce(0) { $0 + numbers[a * width + $1] * numbers[b * width + $1] }
    }
    let lengths = (0..<rows).map { product($0, $0).squareRoot() }
    let cosines = (0..<rows).flatMap { a in (a + 1..<rows).map { product(a, $0) / lengths[a] / lengths[$0] } }
      .sorted(by: >)
    for count in [0, 1, 5, 40, .max] where count < .max || rows < 10 {
      let pairs = try closestPairs(of: vectors, count: count)
      #expect(pairs.count == min(count, cosines.count))
      #expect(Set(pairs.map { [$0.first, $0.second] }).count == pairs.count)
      for (pair, cosine) in zip(pairs, cosines) {
        #expect(abs(Double(pair.cosine) - cosine) < 1e-6, "\(count) of \(rows): \(pair)")
        let own = product(pair.first, pair.second) / lengths[pair.first] / lengths[pair.second]
        #expect(pair.first < pair.second && abs(Double(pair.cosine) - own) < 1e-6, "\(pair)")
      }
    }
  }

  @Test func equalPairsComeInOrderAndNumbersThatAreNoneAreLeftOut() throws {
    let vectors = try Tensor<Float>(
      [1, 0, 2, 0, 0, 1, 1e-30, 0, .nan, 1, 0, 0, 3e38, 3e38], shape: [7, 2])
    let pairs = try closestPairs(of: vectors, count: 4)
    #expect(pairs.prefix(3).map { [$0.first, $0.second] } == [[0, 1], [0, 3], [1, 3]])
    #expect(pairs.prefix(3).allSatisfy { $0.cosine == 1 })
    #expect(abs(pairs[3].cosine - Float(0.5).squareRoot()) < 1e-6)
    let all = try closestPairs(of: vectors, count: 100)
    #expect(all.count == 15 && all.allSatisfy { $0.first != 4 && $0.second != 4 })
  }

  @Test func nothingHasNoPairs() throws {
    #expect(try closestPairs(of: .zeros([0, 3]), count: 5).isEmpty)
    #expect(try closestPairs(of: .zeros([1, 3]), count: 5).isEmpty)
    #expect(throws: ModelError.self) { try closestPairs(of: .zeros([3]), count: 5) }
    #expect(throws: ModelError.self) { try closestPairs(of: .zeros([3, 3]), count: -1) }
  }
}
