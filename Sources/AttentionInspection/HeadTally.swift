import Attention

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// What one head did, summed up over rows of weights that come block after block.
struct HeadTally {
  /// `Σ_i p[i,j]` of each key.
  private(set) var mass: [Double]
  private(set) var sums = RowSums()

  /// The rows that are added up on one thread. Sums of such parts are added in order, so that they do not depend on the number of
  /// threads. 64 logarithms a key are some microseconds of work for each of the `Tk` additions that bring parts together.
  private static let rowsPerTask = 64

  init(keyCount: Int) {
    mass = [Double](repeating: 0, count: keyCount)
  }

  /// Adds a block of weights `[n, Tk]`, row-major.
  mutating func add<W: FloatingPointElement>(
    _ weights: Tensor<W>, of queries: Range<Int>, on pool: WorkerPool
  ) {
    let keyCount = mass.count
    // Rows without a key have no sums.
    if keyCount == 0 { return }
    let tasks = (queries.count + Self.rowsPerTask - 1) / Self.rowsPerTask
    var partialSums = [RowSums](repeating: RowSums(), count: tasks)
    var partialMasses = [Double](repeating: 0, count: tasks * keyCount)
    partialSums.withUnsafeMutableBufferPointer { sums in
      partialMasses.withUnsafeMutableBufferPointer { masses in
        weights.withUnsafePointer { base in
          pool.run(tasks) { task in
            let first = task * Self.rowsPerTask
            for row in first..<min(first + Self.rowsPerTask, queries.count) {
              sums[task].add(
                base + row * keyCount, query: queries.lowerBound + row,
                to: UnsafeMutableBufferPointer(rebasing: masses[task * keyCount..<(task + 1) * keyCount]))
            }
          }
        }
      }
    }
    for task in 0..<tasks {
      sums.add(partialSums[task])
      for key in 0..<keyCount { mass[key] += partialMasses[task * keyCount + key] }
    }
  }
}

/// The running sums of some rows of a head.
struct RowSums {
  private(set) var attending = 0
  private(set) var weightSum = 0.0
  private(set) var entropySum = 0.0
  private(set) var largest: HeadSummary.Weight?

  /// Adds one row of weights, and each weight to its key's mass.
  @_specialize(where W == Float)
  @_specialize(where W == Double)
  mutating func add<W: FloatingPointElement>(
    _ row: UnsafePointer<W>, query: Int, to mass: UnsafeMutableBufferPointer<Double>
  ) {
    var sum = 0.0
    var entropy = 0.0
    var largest = self.largest?.weight ?? 0
    var largestKey: Int?
    for key in mass.indices {
      let weight = row[key].doubleValue
      // 0 · ln 0 is 0.
      if weight == 0 { continue }
      mass[key] += weight
      sum += weight
      entropy -= weight * log(weight)
      if weight > largest {
        largest = weight
        largestKey = key
      }
    }
    if sum == 0 { return }
    attending += 1
    weightSum += sum
    // A weight a rounding above 1 has a logarithm above 0. Not max(): it would hide NaN.
    entropySum += entropy < 0 ? 0 : entropy
    if let largestKey { self.largest = HeadSummary.Weight(weight: largest, query: query, key: largestKey) }
  }

  /// Adds the sums of rows that come after these.
  mutating func add(_ later: RowSums) {
    attending += later.attending
    weightSum += later.weightSum
    entropySum += later.entropySum
    if let weight = later.largest, weight.weight > largest?.weight ?? 0 { largest = weight }
  }
}
