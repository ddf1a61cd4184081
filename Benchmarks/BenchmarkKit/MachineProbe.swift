import CMachineProbe

/// What a machine gives at most, at one moment: no kernel can pass any.
package struct MachineLimits: Sendable, Equatable {
  /// Operations a second in ``arithmetic``, a multiply-add being two.
  package var flopsPerSecond: Double
  /// What ``flopsPerSecond`` counts.
  package var arithmetic: Arithmetic
  /// Bytes a second read from a working set of the size asked for.
  package var readBytesPerSecond: Double
  /// Bytes a second read from such a working set and written back, both counted.
  package var readWriteBytesPerSecond: Double

  /// Limits of these rates; one that was not measured is 0.
  package init(
    flopsPerSecond: Double = 0, in arithmetic: Arithmetic = .float32, readBytesPerSecond: Double = 0,
    readWriteBytesPerSecond: Double = 0
  ) {
    self.flopsPerSecond = flopsPerSecond
    self.arithmetic = arithmetic
    self.readBytesPerSecond = readBytesPerSecond
    self.readWriteBytesPerSecond = readWriteBytesPerSecond
  }

  /// The higher rate of each kind: what the machine gave at its better moment is what it can give.
  ///
  /// - Precondition: both count the same arithmetic.
  package func union(_ other: MachineLimits) -> MachineLimits {
    precondition(arithmetic == other.arithmetic, "limits of \(arithmetic) and of \(other.arithmetic)")
    return MachineLimits(
      flopsPerSecond: max(flopsPerSecond, other.flopsPerSecond), in: arithmetic,
      readBytesPerSecond: max(readBytesPerSecond, other.readBytesPerSecond),
      readWriteBytesPerSecond: max(readWriteBytesPerSecond, other.readWriteBytesPerSecond))
  }
}

/// Measures the limits of the machine, for a moment, as often as wanted.
package final class MachineProbe {
  /// More than any cache holds.
  package static var memoryBytes: Int { 256 << 20 }
  /// About what the threads of one socket can keep in their last-level cache.
  package static var cacheBytes: Int { 16 << 20 }

  /// The size and alignment of a huge page on x86-64, and on arm64 with small pages of 4 KiB.
  private static var hugePageBytes: Int { 2 << 20 }

  /// Threads that ``limits(workingSet:in:)`` works with.
  package let threads: Int
  /// The highest rates of all threads seen so far.
  private var highestFlopsPerSecond: [Arithmetic: Double] = [:]
  private let memory: UnsafeMutableRawPointer
  private let byteCount: Int

  /// Allocates and fills what will be read: ``memoryBytes``, or an eighth of the machine's memory where that is less.
  package init(threads: Int) {
    self.threads = max(threads, 1)
    byteCount = max(min(Self.memoryBytes, Int(ShapeFile.physicalMemory) / 8), self.threads * 4096)
    memory = .allocate(byteCount: byteCount, alignment: Self.hugePageBytes)
    CMachineProbe_fill(Int32(self.threads), memory, byteCount)
  }

  deinit { memory.deallocate() }

  /// `AVX-512`, `AVX2` or `baseline`.
  package static var instructionSet: String { String(cString: CMachineProbe_instructionSet()) }

  /// Operations a second on all threads, or on so many; 0 where ``Arithmetic/isSupported`` is false.
  package func flopsPerSecond(
    in arithmetic: Arithmetic = .float32, threads: Int? = nil, seconds: Double = 0.01
  ) -> Double {
    CMachineProbe_multiplyAddRate(arithmetic.probed, Int32(threads ?? self.threads), seconds)
  }

  /// Bytes a second from a working set of this size, on all threads or on so many. Takes twice `seconds`, for two ways to read.
  package func readBytesPerSecond(workingSet: Int, threads: Int? = nil, seconds: Double = 0.01) -> Double {
    let threads = threads ?? self.threads
    return CMachineProbe_readRate(Int32(threads), memory, size(workingSet, threads), seconds)
  }

  /// Bytes a second that a working set of this size, changed in place, is read and written with: both count.
  package func readWriteBytesPerSecond(workingSet: Int, threads: Int? = nil, seconds: Double = 0.01) -> Double
  {
    let threads = threads ?? self.threads
    return CMachineProbe_readWriteRate(Int32(threads), memory, size(workingSet, threads), seconds)
  }

  private func size(_ workingSet: Int, _ threads: Int) -> Int {
    min(max(workingSet, threads * 4096), byteCount)
  }

  /// The limits of arithmetic and of reading, for a problem that computes in `arithmetic` (or what replaces it here:
  /// ``Arithmetic/onThisMachine``) and reads so many bytes. Takes about 40 ms.
  ///
  /// The arithmetic peak is the highest seen in the process: on a shared machine a neighbour may hold a core while it is
  /// measured, and a share of such a peak would flatter. The read rate is that of now.
  package func limits(workingSet: Int, in arithmetic: Arithmetic = .float32) -> MachineLimits {
    let arithmetic = arithmetic.onThisMachine
    let highest = max(highestFlopsPerSecond[arithmetic] ?? 0, flopsPerSecond(in: arithmetic))
    highestFlopsPerSecond[arithmetic] = highest
    return MachineLimits(
      flopsPerSecond: highest, in: arithmetic, readBytesPerSecond: readBytesPerSecond(workingSet: workingSet))
  }
}
