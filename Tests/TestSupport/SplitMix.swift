import Tensors

/// Random numbers for cases and shapes: the same for the same seed on every machine.
package struct SplitMix: RandomNumberGenerator, Sendable {
  private let stream: RandomStream
  private var drawn = 0

  /// A generator at the start of the seed's stream.
  package init(seed: UInt64) { stream = RandomStream(seed: seed) }

  package mutating func next() -> UInt64 {
    defer { drawn += 1 }
    return stream.bits(drawn)
  }
}

extension SplitMix {
  /// A number of the range; its slight preference for low ones does not matter here.
  package mutating func int(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next() >> 1) % (range.upperBound - range.lowerBound + 1)
  }

  /// One of the choices.
  package mutating func pick<T>(_ choices: [T]) -> T { choices[int(0...choices.count - 1)] }

  /// True this many times of 100.
  package mutating func chance(_ percent: Int) -> Bool { int(0...99) < percent }

  /// Evenly in -1 ..< 1.
  package mutating func unit() -> Double { Double(next() >> 11) * 0x1p-52 - 1 }
}
