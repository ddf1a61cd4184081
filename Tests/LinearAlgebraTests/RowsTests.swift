import LinearAlgebra
import Tensors
import TestSupport
import Testing

@Suite struct RowsTests {
  @Test func `argmax is the first of the largest, and never NaN`() throws {
    var draws = SplitMix(seed: 111)
    for width in [1, 2, 15, 16, 17, 64, 65, 1000] {
      for turn in 0..<40 {
        // Few different numbers, so that several are the largest.
        let numbers = (0..<3 * width).map { _ -> Float in
          if turn % 3 == 0 && draws.chance(30) { return .nan }
          if turn % 5 == 0 && draws.chance(50) { return -.infinity }
          return Float(draws.int(-3...0))
        }
        let rows = try Tensor(numbers, shape: [3, width])
        let found = try rows.argmax()
        #expect(found.shape == [3])
        for row in 0..<3 {
          var best: Int?
          for column in 0..<width {
            let value = numbers[row * width + column]
            if !value.isNaN && (best.map { value > numbers[row * width + $0] } ?? true) { best = column }
          }
          #expect(found[row] == Int64(best ?? 0), "width \(width), turn \(turn), row \(row)")
        }
      }
    }
  }

  @Test func `argmax takes any strides and axes, but no empty ones`() throws {
    for view in View.allCases {
      let x = try view.make(6, 11, of: Float.self, seed: 112)
      #expect(try x.argmax().elements == x.contiguousCopy().argmax().elements, "\(view)")
    }
    #expect(try Tensor([Float(1), 5, 2], shape: [3]).argmax().shape == [])
    #expect(try Tensor<Float>.zeros([2, 3, 4]).argmax().shape == [2, 3])
    #expect(try Tensor<Float>.zeros([0, 4]).argmax().shape == [0])
    #expect(message { try Tensor<Float>.zeros([4, 0]).argmax() }.contains("[4, 0]"))
    #expect(message { try Tensor<Float>.zeros([]).argmax() }.contains("argmax"))
  }

  @Test func `rows are gathered by their indices`() throws {
    for view in View.allCases {
      let table = try view.make(7, 5, of: Float.self, seed: 113)
      let rows = try table.gathered([6, 0, 0, 3])
      #expect(rows.shape == [4, 5])
      for (place, row) in [6, 0, 0, 3].enumerated() {
        #expect(rows.selected(axis: 0, place).elements == table.selected(axis: 0, row).elements, "\(view)")
      }
    }
    let cube = randomTensor([4, 2, 3], of: BFloat16.self, seed: 114)
    #expect(try cube.gathered([2]).elements == cube.selected(axis: 0, 2).elements)
    #expect(try cube.gathered([]).shape == [0, 2, 3])
    #expect(try randomTensor([4], of: Float.self, seed: 115).gathered([3, 1]).shape == [2])
    for index in [-1, 4, Int.max, Int.min] {
      #expect(message { try cube.gathered([0, index]) }.contains("\(index) given, expected 0..<4"))
    }
    #expect(message { try Tensor<Float>.zeros([]).gathered([]) }.contains("without axes"))
  }
}
