/// What was measured of one contender on one shape.
package struct ResultRow: Sendable {
  /// How the measurement ended.
  package enum Status: Sendable, Equatable {
    /// Measured and right.
    case ok
    /// Wrong, or an error; why.
    case failed(String)
    /// Not measured; why.
    case skipped(String)
  }

  /// What one call has to do, which rates are counted from.
  package enum Work: Sendable, Equatable {
    /// Attention: operations that are not masked, and the bytes of keys and values that some query sees.
    case attention(usefulFlops: Double, keyValueBytes: Double)
    /// Something that changes a tensor: bytes read and written, both counted.
    case stream(bytes: Double)
  }

  /// The shape's name.
  package var name: String
  /// The contender's name.
  package var kernel: String
  /// The kernel that the library's plan names for most of the work, where the choice was its own.
  package var plan: String?
  /// `f32`, `f64`, `f16` or `bf16`.
  package var dtype: String
  /// Threads that the contender used.
  package var threads: Int
  /// What each round came to, in their order; none where nothing was measured. Scaled where only a part of the work was timed.
  package private(set) var turns: [Turn] = []
  /// Seconds a call, over all ``turns``.
  package private(set) var seconds: Quantiles?
  /// What one call has to do.
  package let work: Work
  /// The attention problem; nil for anything else.
  package var shape: BenchmarkShape?
  /// The machine's limits around this measurement, for the arithmetic of ``dtype``.
  package var limits: MachineLimits
  /// How many times as fast as the naive kernel; nil where that was not measured.
  package var speedup: Double?
  /// Whether the naive kernel's time behind ``speedup`` was scaled from some (sequence, head) pairs.
  package var isSpeedupScaled = false
  /// The plain shape that was timed in the same rounds.
  package var comparedWith: String?
  /// Time for a useful operation over that of the plain shape: 1.07 is 7 % dearer.
  package var costOverPlain: Double?
  /// The largest difference from the reference.
  package var maxError: Double?
  /// The difference that is allowed.
  package var tolerance: Double?
  /// How it ended.
  package var status: Status = .ok
  /// Where only some (sequence, head) pairs were measured and scaled to the whole: how many.
  package var scaledFromPairs: Int?

  package init(
    name: String, kernel: String, dtype: String, threads: Int, work: Work,
    limits: MachineLimits = MachineLimits()
  ) {
    self.name = name
    self.kernel = kernel
    self.dtype = dtype
    self.threads = threads
    self.work = work
    self.limits = limits
  }
}

// MARK: - Timings

extension ResultRow {
  /// Rounds behind ``seconds``.
  package var rounds: Int { turns.count }

  /// Where the median of ``turns`` lies; nil where they are too few to say.
  package var medianInterval: MedianInterval? { MedianInterval(turns.map(\.seconds)) }

  /// Keeps what was timed.
  ///
  /// - Parameter scale: the whole work over that of a timed call.
  package mutating func set(_ turns: [Turn], scale: Double = 1) {
    self.turns = turns.map {
      Turn(seconds: $0.seconds * scale, calls: $0.calls, cpuSeconds: $0.cpuSeconds * scale)
    }
    seconds = turns.isEmpty ? nil : Quantiles(self.turns.map(\.seconds))
  }
}

// MARK: - Rates

extension ResultRow {
  /// Useful operations a second.
  package var flopsPerSecond: Double? {
    guard case .attention(let usefulFlops, _) = work else { return nil }
    return seconds.map { usefulFlops / $0.median }
  }

  /// Bytes of keys and values a second, each byte counted once.
  package var readBytesPerSecond: Double? {
    guard case .attention(_, let keyValueBytes) = work else { return nil }
    return seconds.map { keyValueBytes / $0.median }
  }

  /// Bytes read and written a second, where that is what a call does.
  package var streamedBytesPerSecond: Double? {
    guard case .stream(let bytes) = work else { return nil }
    return seconds.map { bytes / $0.median }
  }

  /// Whether the result is wrong, which a script must learn from the exit code.
  package var isFailure: Bool {
    if case .failed = status { true } else { false }
  }

  /// The limit that the contender came nearest to, and its share of it.
  package var share: (limit: String, fraction: Double)? {
    let shares: [(limit: String, fraction: Double)] = [
      (limits.arithmetic.limitName, flopsPerSecond, limits.flopsPerSecond),
      ("read", readBytesPerSecond, limits.readBytesPerSecond),
      ("r+w", streamedBytesPerSecond, limits.readWriteBytesPerSecond),
    ].compactMap { limit, rate, most in
      guard let rate, most > 0 else { return nil }
      return (limit, rate / most)
    }
    return shares.max { $0.fraction < $1.fraction }
  }
}
