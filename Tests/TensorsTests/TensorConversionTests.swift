import Tensors
import TestSupport
import Testing

@Suite struct TensorConversionTests {
  /// What is hard to round: ties, limits, infinities, and the ends of every type's range.
  static let hardValues: [Double] = {
    let magnitudes: [Double] = [
      0, 0.5, 1, 1.5, 2.5, 0.1, 126.5, 127, 127.5, 128, 254.5, 255, 255.5, 256, 2047.5, 2049, 2051, 65503,
      65504,
      65519.999999999993, 65520, 65536, 1e5, 0x1p-14, 0x1p-15, 0x1p-24, 0x1p-25, 0x1.8p-25,
      0x1.0000000000001p-25,
      1 + 0x1p-11, 1 + 0x1p-11 + 0x1p-40, 1 + 0x1p-8 + 0x1p-40, 1 + 0x1p-24 + 0x1p-52, 2_147_483_647,
      2_147_483_647.5,
      2_147_483_648, 0x1p53, 0x1p62, 0x1p63, 0x1p64, 3.4028235677973366e38, 0x1p128, 1e300, 1e-300, .infinity,
      .nan,
      Double(Float.leastNonzeroMagnitude), Double(Float.greatestFiniteMagnitude),
    ]
    return magnitudes + magnitudes.map { -$0 }
  }()

  private func checkAll<Source: TensorElement>(from type: Source.Type) throws {
    var generator = SplitMix(seed: 1)
    // More than a block, and values of every size.
    let random = (0..<1200).map { _ in Double(Float(bitPattern: generator.next())) }
    let scaled = (0..<1200).map { _ in Double.random(in: -300...300, using: &generator) }
    let source = (Self.hardValues + random + scaled).map { Source(nearest: $0) }
    let tensor = try Tensor(source, shape: [source.count])
    func check<Target: TensorElement>(to type: Target.Type) {
      let converted = tensor.converted(to: type).elements
      for (value, result) in zip(source, converted) {
        let expected = Target(nearest: value.doubleValue)
        let isSame = result == expected || (result.doubleValue.isNaN && expected.doubleValue.isNaN)
        #expect(isSame, "\(Source.self) \(value) to \(Target.self): \(result), expected \(expected)")
        if result.doubleValue == 0 {
          #expect(result.doubleValue.sign == expected.doubleValue.sign, "\(Source.self) \(value)")
        }
      }
    }
    check(to: Double.self)
    check(to: Float.self)
    check(to: Float16.self)
    check(to: BFloat16.self)
    check(to: Int32.self)
    check(to: Int8.self)
    check(to: UInt8.self)
    check(to: Bool.self)
    if Source.elementType != .int64 { check(to: Int64.self) }
  }

  /// The fast loops against one element at a time, whose rounding to Float16 and Float is the compiler's.
  @Test func everyPairRoundsAsItsElementsDo() throws {
    try checkAll(from: Double.self)
    try checkAll(from: Float.self)
    try checkAll(from: Float16.self)
    try checkAll(from: BFloat16.self)
    try checkAll(from: Int32.self)
    try checkAll(from: Int8.self)
    try checkAll(from: UInt8.self)
    try checkAll(from: Bool.self)
  }

  @Test func allHalvesWidenExactlyAndReturn() throws {
    let halves = (UInt16.min...UInt16.max).map { Float16(bitPattern: $0) }
    let tensor = try Tensor(halves, shape: [halves.count])
    let single = tensor.converted(to: Float.self)
    let double = tensor.converted(to: Double.self).elements
    for (half, (single, double)) in zip(halves, zip(single.elements, double)) {
      if half.isNaN {
        #expect(single.isNaN && double.isNaN && single.sign == half.sign, "\(half.bitPattern)")
      } else {
        #expect(
          single == Float(half) && double == Double(half) && single.sign == half.sign, "\(half.bitPattern)")
      }
    }
    for (half, back) in zip(halves, single.converted(to: Float16.self).elements) {
      #expect(half.isNaN ? back.isNaN : back.bitPattern == half.bitPattern, "\(half.bitPattern)")
    }
  }

  /// Every midpoint of two halves, and its neighbours, from Float and from Double.
  @Test func halvesRoundToNearestEven() throws {
    for bits in UInt16(0)..<0x7C00 {
      let half = Float16(bitPattern: bits)
      let above = bits == 0x7BFF ? 65536 : Double(half.nextUp)
      let middle = (Double(half) + above) / 2
      let even = bits & 1 == 0 ? bits : bits + 1
      let doubles = try Tensor([middle, middle.nextDown, middle.nextUp, -middle], shape: [4])
      #expect(
        doubles.converted(to: Float16.self).elements.map { $0.bitPattern } == [
          even, bits, bits + 1, even | 0x8000,
        ],
        "\(middle)")
      let single = Float(middle)
      let singles = try Tensor([single, single.nextDown, single.nextUp, -single], shape: [4])
      #expect(
        singles.converted(to: Float16.self).elements.map { $0.bitPattern } == [
          even, bits, bits + 1, even | 0x8000,
        ],
        "\(single)")
    }
  }

  @Test func largeIntegersRoundOnceAndSaturate() throws {
    let wide: [Int64] = [
      .max, .min, 1 << 53 + 1, -(1 << 53) - 1, 1 << 62 + 1, 1 << 24 + 1, 1 << 31, -(1 << 31) - 1, 300, -5, 0,
      // Just above a tie of Float, on it after a rounding to Double.
      1 << 60 + 1 << 36 + 1, 1 << 62 + 1 << 38 - 1, -(1 << 60 + 1 << 36 + 1),
    ]
    let tensor = try Tensor(wide, shape: [wide.count])
    #expect(tensor.converted(to: Float.self).elements == wide.map { Float($0) })
    #expect(tensor.converted(to: Double.self).elements == wide.map { Double($0) })
    #expect(tensor.converted(to: Int32.self).elements == wide.map { Int32(clamping: $0) })
    #expect(tensor.converted(to: UInt8.self).elements == wide.map { UInt8(clamping: $0) })
    #expect(tensor.converted(to: Bool.self).elements == wide.map { $0 != 0 })
    let brain = try Tensor<Int64>([1 << 60 + 1 << 52 + 1, 1 << 60 + 1 << 52], shape: [2]).converted(
      to: BFloat16.self)
    #expect(brain.elements == [BFloat16(nearest: 0x1p60 * (1 + 0x1p-7)), BFloat16(nearest: 0x1p60)])
  }

  @Test func integersTruncateAndSaturate() throws {
    let tensor = try Tensor<Float>([1.9, -1.9, 300, -300, .nan, .infinity, -.infinity], shape: [7])
    #expect(tensor.converted(to: Int8.self).elements == [1, -1, 127, -128, 0, 127, -128])
    #expect(tensor.converted(to: UInt8.self).elements == [1, 0, 255, 0, 0, 255, 0])
    #expect(tensor.converted(to: Int64.self).elements == [1, -1, 300, -300, 0, .max, .min])
    #expect(tensor.converted(to: Bool.self).elements == [true, true, true, true, true, true, true])
  }

  @Test func theSameTypeIsNotCopied() {
    let tensor = counting([3, 4]).transposed()
    #expect(tensor.converted(to: Float.self).address == tensor.address)
    #expect(tensor.converted(to: Float.self).strides == tensor.strides)
  }

  @Test(arguments: 0..<50)
  func viewsConvertInRowMajorOrder(seed: Int) throws {
    var generator = SplitMix(seed: UInt64(seed))
    let view = try randomView(counting(randomShape(rank: 0...4, lengths: 0...5, &generator)), &generator)
    let converted = view.converted(to: Int32.self)
    #expect(converted.isContiguous && converted.shape == view.shape, "seed \(seed)")
    #expect(converted.elements == elementsByIndex(view).map { Int32($0) }, "seed \(seed)")
    #expect(
      view.converted(to: Float16.self).elements == elementsByIndex(view).map { Float16($0) }, "seed \(seed)")
  }
}
