import LinearAlgebra
import Testing

@Suite struct ProductTilesTests {
  @Test(arguments: [0, 1, 2, 63, 512, 513, 5000], [0, 1, 65, 1024, 1025, 9000])
  func `every element is in one tile`(m: Int, n: Int) {
    for k in [0, 1, 64, 4096, Int(Int32.max)] {
      let tiles = ProductTiles(ProductSize(m: m, n: n, k: k))
      var covered = 0
      var corners = Set<[Int]>()
      for tile in 0..<tiles.count {
        let (rows, columns) = tiles[tile]
        #expect(!rows.isEmpty && rows.upperBound <= m && rows.lowerBound % tiles.rows == 0)
        #expect(!columns.isEmpty && columns.upperBound <= n && columns.lowerBound % tiles.columns == 0)
        covered += rows.count * columns.count
        corners.insert([rows.lowerBound, columns.lowerBound])
      }
      #expect(covered == m * n && corners.count == tiles.count, "m \(m) n \(n) k \(k)")
    }
  }

  @Test func `a decode step shares its weights among many threads`() {
    #expect(ProductTiles(ProductSize(m: 1, n: 4096, k: 4096)).count >= 32)
  }

  @Test func `a small product is one task`() {
    #expect(ProductTiles(ProductSize(m: 128, n: 64, k: 64)).count == 1)
  }
}
