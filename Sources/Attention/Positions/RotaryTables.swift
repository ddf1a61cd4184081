import Parallelism
import Synchronization
import Tensors

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// Cosines and sines in one type: `[rows, pairs]` each, a row's neighbours side by side.
struct RotaryTable<Scalar: AttentionAccumulator>: Sendable {
  let cosines: Tensor<Scalar>
  let sines: Tensor<Scalar>

  /// The tables of a spectrum: angles, cosines and sines in Float64, rounded once.
  init(_ spectrum: RotarySpectrum, rows: Int, on pool: WorkerPool) throws(AttentionError) {
    let pairs = spectrum.frequencies.count
    var cosines = try Self.allocate(rows: rows, pairs: pairs, named: "positions")
    var sines = try Self.allocate(rows: rows, pairs: pairs, named: "positions")
    cosines.withMutableView { cosines in
      sines.withMutableView { sines in
        // About a millisecond each.
        let block = max(1, (1 << 15) / pairs)
        pool.run((rows + block - 1) / block) { task in
          for row in task * block..<min(rows, (task + 1) * block) {
            spectrum.writeRow(row, cosines.base + row * pairs, sines.base + row * pairs)
          }
        }
      }
    }
    self.cosines = cosines
    self.sines = sines
  }

  /// Tables of any floating-point type and any strides, of one or two axes before the pairs; the tensors themselves where
  /// they can be used as they are.
  init<Element: AttentionElement>(
    cosines: Tensor<Element>, sines: Tensor<Element>, rows: Int, pairs: Int
  ) throws(AttentionError) {
    self.cosines = try Self.usable(cosines, rows: rows, pairs: pairs, named: "cosines")
    self.sines = try Self.usable(sines, rows: rows, pairs: pairs, named: "sines")
  }

  private static func usable<Element: AttentionElement>(
    _ table: Tensor<Element>, rows: Int, pairs: Int, named argument: String
  ) throws(AttentionError) -> Tensor<Scalar> {
    let hasNeighbours = table.strides.fromEnd(1) == 1 || pairs == 1
    if table.rank == 2, hasNeighbours, let same = table as? Tensor<Scalar> { return same }
    // Copies stop the process where there is no memory for them: ask first.
    _ = try allocate(rows: rows, pairs: pairs, named: argument)
    guard let flat = try? table.contiguous().reshaped(to: [rows, pairs]) else {
      preconditionFailure("a table of shape \(table.shape) has not \(rows) rows of \(pairs) pairs")
    }
    return flat.converted(to: Scalar.self)
  }

  private static func allocate(
    rows: Int, pairs: Int, named argument: String
  ) throws(AttentionError) -> Tensor<Scalar> {
    guard let table = Tensor<Scalar>.uninitialized([rows, pairs]) else {
      throw AttentionError(
        .outOfMemory, argument,
        "\(rows) positions of \(pairs) pairs ask for tables beyond this machine's memory")
    }
    return table
  }
}

extension RotarySpectrum {
  /// The cosines and sines of one position.
  fileprivate func writeRow<Scalar: AttentionAccumulator>(
    _ position: Int, _ cosines: UnsafeMutablePointer<Scalar>, _ sines: UnsafeMutablePointer<Scalar>
  ) {
    for pair in 0..<frequencies.count {
      let angle = Double(position) * frequencies[pair]
      cosines[pair] = Scalar(amplitude * cos(angle))
      sines[pair] = Scalar(amplitude * sin(angle))
    }
  }
}

/// The tables of an embedding, shared by its copies: in Float from the start, in Double from the first time that a Double
/// tensor is turned.
final class RotaryTables: Sendable {
  /// The most angles of an embedding, 8 GiB of Floats, twice: more than any model has, and few enough that no product of sizes
  /// overflows.
  static let mostAngles = 1 << 31

  /// The widest rows that are turned, as wide as attention takes them: a few arrays of half as many frequencies fit any machine.
  static let widestRow = 1 << 21

  /// Throws where no row is so wide.
  static func check(headDimension: Int) throws(AttentionError) {
    guard (1...widestRow).contains(headDimension) else {
      throw AttentionError("headDimension", "\(headDimension) given, expected 1 to \(widestRow)")
    }
  }

  let rows: Int
  let pairs: Int
  let single: RotaryTable<Float>
  private let double = Mutex<RotaryTable<Double>?>(nil)
  private let makeDouble: @Sendable (WorkerPool) throws(AttentionError) -> RotaryTable<Double>

  init(_ spectrum: RotarySpectrum, rows: Int, on pool: WorkerPool) throws(AttentionError) {
    self.rows = rows
    pairs = spectrum.frequencies.count
    single = try RotaryTable(spectrum, rows: rows, on: pool)
    makeDouble = { (pool) throws(AttentionError) in try RotaryTable(spectrum, rows: rows, on: pool) }
  }

  /// - Precondition: equal shapes of `rows · pairs` elements, at most ``mostAngles``, `pairs` of them in the last axis.
  init<Element: AttentionElement>(
    cosines: Tensor<Element>, sines: Tensor<Element>, rows: Int, pairs: Int
  ) throws(AttentionError) {
    self.rows = rows
    self.pairs = pairs
    single = try RotaryTable(cosines: cosines, sines: sines, rows: rows, pairs: pairs)
    makeDouble = { (_) throws(AttentionError) in
      try RotaryTable(cosines: cosines, sines: sines, rows: rows, pairs: pairs)
    }
  }

  /// The tables in Double: computed at the first call, by one thread that the others wait for.
  func doubles(on pool: WorkerPool) throws(AttentionError) -> RotaryTable<Double> {
    try double.withLock { (kept) throws(AttentionError) in
      if let kept { return kept }
      let made = try makeDouble(pool)
      kept = made
      return made
    }
  }
}
