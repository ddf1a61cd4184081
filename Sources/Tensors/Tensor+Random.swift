extension Tensor where Element: FloatingPointElement {
  /// Normal numbers, the same for the same seed, for ever and on every machine.
  ///
  /// The number at row-major position `i` depends on `seed` and `i` alone (so a longer tensor starts with a shorter one's
  /// numbers) and is `mean + standardDeviation · Φ⁻¹(p)` in Double, where the probability `p` comes from draw `i` of a
  /// SplitMix64 counter and Φ⁻¹ is Wichura's AS 241. It is rounded once, so every element type gets the same numbers up to
  /// its precision. One allocation; some 8 ns an element.
  ///
  ///     let queries = Tensor<Float>.normal([1, 12, 128, 64], seed: 1)
  ///
  /// - Precondition: `mean` and `standardDeviation` are finite, the latter not negative.
  public static func normal(
    _ shape: Shape, mean: Double = 0, standardDeviation: Double = 1, seed: UInt64
  ) -> Tensor {
    precondition(
      mean.isFinite && standardDeviation.isFinite && standardDeviation >= 0,
      "a normal distribution with mean \(mean) and standard deviation \(standardDeviation)")
    let stream = RandomStream(seed: seed)
    return filled(shape) { block, start, length in
      stream.normals(from: start, count: length, into: block)
      for index in 0..<length { block[index] = mean + standardDeviation * block[index] }
    }
  }

  /// Numbers spread evenly over a half-open range, the same for the same seed, for ever and on every machine.
  ///
  /// The number at row-major position `i` depends on `seed` and `i` alone: with `u` in [0, 1) from the upper 53 bits of draw
  /// `i` of a SplitMix64 counter it is `lower·(1 − u) + upper·u` in Double, rounded once to the element type. Where that rounding
  /// would reach the upper bound, which a half-open range excludes, the result is the largest value of the type below it.
  ///
  /// - Precondition: the range is finite and not empty.
  public static func uniform(_ shape: Shape, in range: Range<Double> = 0..<1, seed: UInt64) -> Tensor {
    let (lower, upper) = (range.lowerBound, range.upperBound)
    precondition(lower.isFinite && upper.isFinite && lower < upper, "uniform numbers in \(range)")
    let stream = RandomStream(seed: seed)
    let largest = largestStep(from: lower, below: upper)
    return filled(shape) { block, start, length in
      for index in 0..<length {
        let unit = stream.unit(start + index)
        block[index] = min(lower * (1 - unit) + upper * unit, largest)
      }
    }
  }

  /// Numbers spread evenly over a range that includes both bounds, otherwise as ``uniform(_:in:seed:)-(_,Range<Double>,_)``.
  ///
  /// - Precondition: the range is finite.
  public static func uniform(_ shape: Shape, in range: ClosedRange<Double>, seed: UInt64) -> Tensor {
    let (lower, upper) = (range.lowerBound, range.upperBound)
    precondition(lower.isFinite && upper.isFinite, "uniform numbers in \(range)")
    let stream = RandomStream(seed: seed)
    // The largest of the 2⁵³ multiples of 2⁻⁵³ is stretched to 1.
    let stretch = 1 / (1 - 0x1p-53)
    return filled(shape) { block, start, length in
      for index in 0..<length {
        let unit = min(stream.unit(start + index) * stretch, 1)
        block[index] = lower * (1 - unit) + upper * unit
      }
    }
  }

  /// A tensor whose elements `fill` writes as Doubles, block by block: the block, the position of its first element, its length.
  private static func filled(
    _ shape: Shape, _ fill: (UnsafeMutablePointer<Double>, Int, Int) -> Void
  ) -> Tensor {
    Tensor(unsafeUninitializedShape: shape) { buffer in
      guard let base = buffer.baseAddress else { return }
      withBlocks(of: buffer.count) { block, start, length in
        fill(block, start, length)
        narrowRow(from: block, to: base + start, count: length)
      }
    }
  }

  /// The largest Double in reach of bisection that still rounds to an element below `upper`; `lower` where none does.
  private static func largestStep(from lower: Double, below upper: Double) -> Double {
    var (inside, outside) = (lower, upper)
    for _ in 0..<64 {
      let middle = inside / 2 + outside / 2
      if Element(nearest: middle).doubleValue < upper { inside = middle } else { outside = middle }
    }
    return inside
  }
}

extension Tensor where Element: FixedWidthInteger {
  /// Whole numbers spread evenly over a range that includes both bounds, the same for the same seed, for ever and on every machine.
  ///
  /// The number at row-major position `i` is the lower bound plus the upper 64 bits of `draw(i) · (range's count)`, where
  /// `draw` is a SplitMix64 counter: no value is more than one part in 2⁶⁴ off its share per value in the range.
  public static func uniform(_ shape: Shape, in range: ClosedRange<Element>, seed: UInt64) -> Tensor {
    let lower = Int64(range.lowerBound)
    let span = UInt64(bitPattern: Int64(range.upperBound) &- lower)
    let stream = RandomStream(seed: seed)
    return Tensor(unsafeUninitializedShape: shape) { buffer in
      for index in buffer.indices {
        // The count of the full range of Int64, 2⁶⁴, does not fit: then every draw is its own value.
        let bits = stream.bits(index)
        let drawn = span == .max ? bits : bits.multipliedFullWidth(by: span + 1).high
        buffer.initializeElement(
          at: index, to: Element(truncatingIfNeeded: lower &+ Int64(bitPattern: drawn)))
      }
    }
  }
}
