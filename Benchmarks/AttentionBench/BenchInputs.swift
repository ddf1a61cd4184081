import Attention
import BenchmarkKit
import Foundation
import TensorFiles

/// The tensors of one shape, and what else a call takes.
struct BenchInputs<E: BenchElement> {
  let shape: BenchmarkShape
  /// `[B, Hq, Tq, D]`; `[total, Hq, D]` where sequences are packed, and keys and values likewise.
  let queries: Tensor<E>
  let keys: Tensor<E>
  let values: Tensor<E>
  /// The queries of each sequence, and as many keys, where they are packed.
  var packedLengths: [Int]?
  /// One a query head, where the shape has sinks.
  var sinks: [Double]?
  /// One a query head, where the shape has ALiBi.
  var alibiSlopes: [Double]?
  /// The right output as somebody else computed it, where that is known.
  var expected: Tensor<Float>?

  private let passing = PassedInputs()

  /// Whether queries, keys and values have mean 0 and variance 1, which the tightest tolerance assumes.
  var hasUnitVariance: Bool { expected == nil }

  /// A sequence of queries, keys, values or an output as a batch of its own, `[1, H, T, D]`; no copy.
  func sequence<F: TensorElement>(_ index: Int, of tensor: Tensor<F>) -> Tensor<F> {
    guard let packedLengths else { return tensor.sliced(axis: 0, index..<index + 1) }
    let start = packedLengths[..<index].reduce(0, +)
    return tensor.sliced(axis: 0, start..<start + packedLengths[index]).permuted(1, 0, 2).expanded(axis: 0)
  }

  /// `[B, Hq, Tq, Dv]`; `[total, Hq, Dv]` where sequences are packed.
  var outputShape: Shape {
    let (heads, width) = (shape.sizes.queryHeads, shape.sizes.valueDim)
    if packedLengths != nil { return [shape.storedQueries, heads, width] }
    return [shape.sizes.batch, heads, shape.sizes.queries, width]
  }

  /// A row of an output.
  func outputRow<F: BenchElement>(_ row: RowIndex, of output: Tensor<F>) -> [Double] {
    sequence(row.sequence, of: output).selected(axis: 0, 0).selected(axis: 0, row.head)
      .selected(axis: 0, row.query).elements.map(\.doubleValue)
  }
}

/// The file that other processes read a problem from, once there is one.
private final class PassedInputs {
  var file: PassedFile?
}

// MARK: - Random

extension BenchInputs {
  /// Normally distributed numbers of mean 0 and variance 1, the same ones for the same seed.
  init(random shape: BenchmarkShape, seed: UInt64) throws {
    let sizes = shape.sizes
    func draw(_ heads: Int, _ length: Int, _ rows: Int, _ width: Int, _ seed: UInt64) -> Tensor<E> {
      let isPacked = shape.storage.layout == .packed
      return randomTensor(isPacked ? [rows, heads, width] : [sizes.batch, heads, length, width], seed: seed)
    }
    self.shape = shape
    let (Hq, Hkv) = (sizes.queryHeads, sizes.keyValueHeads)
    queries = draw(Hq, sizes.queries, shape.storedQueries, sizes.headDim, seed &* 3)
    keys = draw(Hkv, sizes.keys, shape.storedKeys, sizes.headDim, seed &* 3 &+ 1)
    values = draw(Hkv, sizes.keys, shape.storedKeys, sizes.valueDim, seed &* 3 &+ 2)
    if shape.storage.layout == .packed { packedLengths = shape.storage.keyLengths ?? [] }
    if shape.scores.hasSinks {
      // Near the log-sum-exp of as many scores: they take about a third of the weight, so that no tolerance hides a
      // forgotten one.
      sinks = Tensor<Double>.normal([Hq], mean: log(Double(sizes.keys)), seed: seed &* 3 &+ 3).elements
    }
    if shape.scores.hasALiBi { alibiSlopes = AttentionMask.alibiSlopes(heads: Hq) }
  }
}

// MARK: - From another process

extension BenchInputs {
  /// All that ``shape`` does not say, as a file for other processes: `Q`, `K`, `V`, and `slopes` and `sinks` where there are some.
  /// Written once for all of them.
  ///
  /// - Throws: ``BenchmarkError`` where there is no room for it.
  func passed() throws -> PassedFile {
    if let file = passing.file { return file }
    var writer = SafetensorsWriter()
    try writer.add("Q", queries)
    try writer.add("K", keys)
    try writer.add("V", values)
    if let alibiSlopes { try writer.add("slopes", Tensor(alibiSlopes, shape: [alibiSlopes.count])) }
    if let sinks { try writer.add("sinks", Tensor(sinks, shape: [sinks.count])) }
    let file = try PassedFile()
    try file.write(try writer.bytes())
    passing.file = file
    return file
  }

  /// What another process passed, copied into memory as any program has it: pages of a file are small ones.
  ///
  /// - Throws: where the file lacks a tensor, or has it in another type.
  init(_ shape: BenchmarkShape, passed file: SafetensorsFile) throws {
    self.shape = shape
    queries = try file.tensor("Q", as: E.self).contiguousCopy()
    keys = try file.tensor("K", as: E.self).contiguousCopy()
    values = try file.tensor("V", as: E.self).contiguousCopy()
    if shape.storage.layout == .packed { packedLengths = shape.storage.keyLengths ?? [] }
    if shape.scores.hasALiBi { alibiSlopes = try file.tensor("slopes", as: Double.self).elements }
    if shape.scores.hasSinks { sinks = try file.tensor("sinks", as: Double.self).elements }
  }
}

/// A prime, so that rows of any length shorter than it start at ever new places of the table: as many rows differ.
private let tableCount = 262_147

/// Normally distributed numbers: one table of random numbers after another until the tensor is full: a copy is several times as fast as drawing 67
/// million numbers, and a kernel cannot tell.
func randomTensor<E: BenchElement>(_ shape: Shape, seed: UInt64) -> Tensor<E> {
  let table = Tensor<E>.normal([tableCount], seed: seed)
  return Tensor(unsafeUninitializedShape: shape) { target in
    table.withUnsafePointer { source in
      var start = 0
      while start < target.count {
        let count = min(tableCount, target.count - start)
        _ = UnsafeMutableBufferPointer(rebasing: target[start..<start + count])
          .initialize(fromContentsOf: UnsafeBufferPointer(start: source, count: count))
        start += count
      }
    }
  }
}

// MARK: - Real

extension BenchInputs {
  /// Queries, keys and values `Q`, `K`, `V` of a file, and its `expected.Y`.
  ///
  /// - Throws: where the file cannot be read or lacks one of them.
  init(_ shape: BenchmarkShape, file: SafetensorsFile) throws {
    self.shape = shape
    queries = try file.tensor("Q", as: Float.self).converted(to: E.self)
    keys = try file.tensor("K", as: Float.self).converted(to: E.self)
    values = try file.tensor("V", as: Float.self).converted(to: E.self)
    expected = try file.tensor("expected.Y", as: Float.self)
  }
}
