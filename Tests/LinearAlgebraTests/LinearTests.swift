import LinearAlgebra
import Tensors
import TestSupport
import Testing

/// Rows, inputs and outputs around vectors, blocks, tiles and panels.
private let sizes: [(rows: Int, inputs: Int, outputs: Int)] = [
  (1, 1, 1), (1, 33, 64), (2, 64, 65), (3, 95, 7), (5, 130, 128), (7, 32, 129), (13, 31, 200), (1, 500, 190),
  (17, 257, 63), (97, 40, 66), (200, 66, 70),
]

@Suite struct LinearTests {
  @Test(arguments: WeightType.allCases, [1, 2, 3, 7])
  func `rows times a weight, plus a bias, plus what was there`(type: WeightType, threads: Int) throws {
    for (index, size) in sizes.enumerated() {
      let (rows, inputs, outputs) = size
      let x = randomTensor([rows, inputs], of: Float.self, seed: 61)
      let weight = randomTensor([outputs, inputs], of: Float.self, seed: 62)
      let bias = index % 2 == 0 ? randomTensor([outputs], of: Float.self, seed: 63) : nil
      let before = randomTensor([rows, outputs], of: Float.self, seed: 64)
      let linear = try Linear(weight: weight, bias: bias, as: type)
      let label = "\(type), \(size), \(threads) threads"
      let oracle = LinearOracle(x, linear, bias: bias)
      let mapped = try linear(x, on: Pools.of(threads))
      #expect(mapped.shape == [rows, outputs], "\(label)")
      #expect(oracle.mismatch(mapped.elements) == nil, "\(label)")
      var added = before
      try added.withMutableView { view in
        try linear.write(x, to: view, adding: true, on: Pools.of(threads))
      }
      #expect(oracle.mismatch(added.elements, before: before.elements) == nil, "\(label), adding")
    }
  }

  @Test(arguments: WeightType.allCases)
  func `a row has the same bits alone, among others and on any number of threads`(type: WeightType) throws {
    for (rows, inputs, outputs) in sizes {
      let x = randomTensor([rows, inputs], of: Float.self, seed: 65)
      let linear = try Linear(weight: randomTensor([outputs, inputs], of: Float.self, seed: 66), as: type)
      let together = try linear(x, on: Pools.one).elements
      for threads in [2, 3, 7] {
        #expect(
          try linear(x, on: Pools.of(threads)).elements == together, "\(type), \(rows) rows, \(threads)")
      }
      for row in 0..<rows {
        let alone = try linear(x.selected(axis: 0, row), on: Pools.two)
        #expect(alone.shape == [outputs])
        #expect(alone.elements == Array(together[row * outputs..<(row + 1) * outputs]), "\(type), row \(row)")
      }
    }
  }

  @Test(arguments: WeightType.allCases, View.allCases)
  func `inputs and weights of any strides`(type: WeightType, view: View) throws {
    for (rows, inputs, outputs) in [(5, 37, 70), (1, 64, 3), (66, 2, 1)] {
      let x = try view.make(rows, inputs, of: Float.self, seed: 67)
      let weight = try view.make(outputs, inputs, of: Float.self, seed: 68)
      let dense = try Linear(weight: weight.contiguousCopy(), as: type)
      let expected = try dense(x.contiguousCopy()).elements
      #expect(try dense(x).elements == expected, "\(type), \(view) inputs")
      #expect(try Linear(weight: weight, as: type)(x).elements == expected, "\(type), \(view) weight")
    }
  }

  @Test(arguments: WeightType.allCases)
  func `batch axes stay, and outputs may have gaps`(type: WeightType) throws {
    let x = randomTensor([2, 3, 1, 20], of: Float.self, seed: 69)
    let linear = try Linear(weight: randomTensor([70, 20], of: Float.self, seed: 70), as: type)
    let expected = try linear(x)
    #expect(expected.shape == [2, 3, 1, 70])
    // The distance between rows is that of the second axis: the third has one row.
    var memory = [Float](repeating: -5, count: 6 * 100)
    try memory.withUnsafeMutableBufferPointer { buffer in
      let base = try #require(buffer.baseAddress)
      let view = MutableTensorView(base: base + 9, shape: [2, 3, 1, 70], strides: [300, 100, 7, 1])
      try linear.write(x, to: view)
    }
    for (place, value) in memory.enumerated() {
      let (row, column) = (place / 100, place % 100 - 9)
      let written = (0..<70).contains(column)
      #expect(value == (written ? expected.elements[row * 70 + column] : -5), "\(type), at \(place)")
    }
  }

  @Test(arguments: WeightType.allCases)
  func `parts and prepared rows give what one matrix and a tensor give`(type: WeightType) throws {
    let (rows, inputs) = (9, 45)
    let weight = randomTensor([150, inputs], of: Float.self, seed: 71)
    let x = randomTensor([rows, inputs], of: Float.self, seed: 72)
    let expected = try Linear(weight: weight, as: type)(x).elements
    let numbers = weight.elements
    let parts = [0..<70, 70..<70, 70..<71, 71..<150].map { part in
      WeightRows(count: part.count) { range, target in
        for (index, row) in range.enumerated() {
          for k in 0..<inputs { target[index * inputs + k] = numbers[(part.lowerBound + row) * inputs + k] }
        }
      }
    }
    let joined = try Linear(parts, inputs: inputs, as: type, on: Pools.three)
    #expect(try joined(x).elements == expected, "\(type), parts")
    var prepared = [Float](repeating: 0, count: rows * 150)
    let given = x.elements
    prepared.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return }
      joined.write(rows: rows, to: base, stride: 150, on: Pools.three) { row, target in
        for k in 0..<inputs { target[k] = given[row * inputs + k] }
      }
    }
    #expect(prepared == expected, "\(type), prepared")
  }

  @Test func `a weight is stored in its own type, rounded once`() throws {
    for (outputs, inputs) in [(1, 1), (65, 33), (130, 64), (64, 97)] {
      let weight = randomTensor([outputs, inputs], of: Double.self, seed: 73)
      #expect(try Linear(weight: weight).type == .float32)
      #expect(try Linear(weight: weight.converted(to: Float16.self)).type == .float16)
      #expect(try Linear(weight: weight.converted(to: BFloat16.self)).type == .bfloat16)
      let floats = weight.converted(to: Float.self)
      #expect(try stored(.float32, floats) == floats.elements)
      #expect(try stored(.float16, floats) == floats.converted(to: Float16.self).elements.map { Float($0) })
      #expect(try stored(.bfloat16, floats) == floats.converted(to: BFloat16.self).elements.map { Float($0) })
      let integers = try stored(.int8, floats)
      for output in 0..<outputs {
        for first in stride(from: 0, to: inputs, by: 32) {
          let block = output * inputs + first..<output * inputs + min(first + 32, inputs)
          let largest = block.map { floats.elements[$0].magnitude }.max() ?? 0
          // Half a step, which is a 127th of the largest, rounded up to Float16.
          let bound = largest / 127 * (1 + 0x1p-10) / 2 + 0x1p-24
          for place in block {
            #expect((integers[place] - floats.elements[place]).magnitude <= bound, "row \(output), \(place)")
          }
        }
      }
    }
  }

  /// All rows as they are stored.
  private func stored(_ type: WeightType, _ weight: Tensor<Float>) throws -> [Float] {
    let linear = try Linear(weight: weight, as: type)
    var row = [Float](repeating: .nan, count: linear.inputWidth)
    return (0..<linear.outputWidth).flatMap { output in
      row.withUnsafeMutableBufferPointer { buffer in
        if let base = buffer.baseAddress { linear.readRow(output, into: base) }
      }
      return row
    }
  }

  @Test(arguments: WeightType.allCases)
  func `NaN in a row stays in it`(type: WeightType) throws {
    let linear = try Linear(weight: randomTensor([67, 40], of: Float.self, seed: 74), as: type)
    for poison in [Float.nan, .infinity, -.infinity] {
      var x = randomTensor([8, 40], of: Float.self, seed: 75)
      let clean = try linear(x).elements
      x[5, 17] = poison
      for (place, value) in try linear(x).elements.enumerated() {
        if place / 67 == 5 {
          #expect(!value.isFinite, "\(type), \(poison), \(place)")
        } else {
          #expect(value == clean[place], "\(type), \(poison), \(place)")
        }
      }
    }
  }

  @Test(arguments: WeightType.allCases)
  func `nothing in, nothing out`(type: WeightType) throws {
    let bias = randomTensor([5], of: Float.self, seed: 76)
    let constant = try Linear(weight: Tensor<Float>.zeros([5, 0]), bias: bias, as: type)
    #expect(
      try constant(Tensor<Float>.zeros([3, 0])).elements == bias.elements + bias.elements + bias.elements)
    let none = try Linear(weight: Tensor<Float>.zeros([0, 4]), as: type)
    #expect(try none(Tensor<Float>.zeros([3, 4])).shape == [3, 0])
    let some = try Linear(weight: Tensor<Float>.zeros([5, 4]), as: type)
    #expect(try some(Tensor<Float>.zeros([0, 4])).shape == [0, 5])
    #expect(try some(Tensor<Float>.zeros([3, 4])).elements.allSatisfy { $0 == 0 })
  }
}

/// A map in Double over the weight as it is stored, and how far a sum in Float may be from it.
private struct LinearOracle {
  private var values: [Double] = []
  private var bounds: [Double] = []

  init(_ x: Tensor<Float>, _ linear: Linear, bias: Tensor<Float>?) {
    let (inputs, outputs) = (linear.inputWidth, linear.outputWidth)
    let weight = (0..<outputs).map { output in
      [Float](unsafeUninitializedCapacity: inputs) { buffer, count in
        if let base = buffer.baseAddress { linear.readRow(output, into: base) }
        count = inputs
      }
    }
    let given = x.elements
    for row in 0..<x.shape[0] {
      let numbers = Array(given[row * inputs..<(row + 1) * inputs])
      let (taken, errors) = Self.inputs(numbers, linear.type)
      for output in 0..<outputs {
        let start = bias.map { Double($0.elements[output]) } ?? 0
        var (sum, size, inexact) = (start, start.magnitude, 0.0)
        for k in 0..<inputs {
          let factor = Double(weight[output][k])
          sum += taken[k] * factor
          size += (taken[k] * factor).magnitude
          inexact += errors[k] * factor.magnitude
        }
        values.append(sum)
        // A product and a sum an input, and some for the start and for scales.
        bounds.append(Double(2 * inputs + 8) * 0x1.01p-24 * size + inexact)
      }
    }
  }

  /// What the kernels take for a row, and how far they may be from it.
  private static func inputs(_ row: [Float], _ type: WeightType) -> ([Double], [Double]) {
    let exact = [Double](repeating: 0, count: row.count)
    switch type {
    case .float32, .float16: return (row.map { Double($0) }, exact)
    case .bfloat16: return (row.map { BFloat16($0).doubleValue }, exact)
    case .int8:
      // Half a 32767th of the largest of a block, and its rounding.
      let steps = row.indices.map { k in
        Double(row[k / 32 * 32..<min(k / 32 * 32 + 32, row.count)].reduce(0) { max($0, $1.magnitude) })
          / 32767
      }
      return (row.map { Double($0) }, steps.map { $0 * 0.501 })
    }
  }

  func mismatch(_ result: [Float], before: [Float]? = nil) -> String? {
    guard result.count == values.count else { return "\(result.count) elements, not \(values.count)" }
    for index in values.indices {
      let old = before.map { Double($0[index]) } ?? 0
      let bound = bounds[index] + old.magnitude * 0x1p-20
      let error = (Double(result[index]) - values[index] - old).magnitude
      if !(error <= bound) {
        return "element \(index): \(result[index]), expected \(values[index] + old) within \(bound)"
      }
    }
    return nil
  }
}
