import CAttentionKernels
import LinearAlgebra

// Which C entry serves which type: the one place that knows.

/// The kernels of one instruction set.
typealias KernelTable = UnsafePointer<CAttentionKernels>

/// Float and Double, the types that scores, weights and sums are kept in.
protocol AttentionAccumulator: BLASScalar, AttentionElement, BinaryFloatingPoint {
  /// What a modifier does to scores of this type.
  static func modify(_ block: ScoreBlock<Self>, _ modifier: ScoreModifier)
}

extension Float: AttentionAccumulator {
  static func modify(_ block: ScoreBlock<Float>, _ modifier: ScoreModifier) { modifier.float(block) }
}

extension Double: AttentionAccumulator {
  static func modify(_ block: ScoreBlock<Double>, _ modifier: ScoreModifier) { modifier.double(block) }
}

/// The kernels that work on rows of one accumulation type. C has no generics: the table has the same entries for each type, and this
/// gives them their types.
struct RowKernels<Scalar: AttentionAccumulator> {
  /// Reads a strided row of some storage type and multiplies it: target, source, stride, count, factor.
  typealias Load = @convention(c) (UnsafeMutableRawPointer?, UnsafeRawPointer?, Int, Int, Double) -> Void
  /// Multiplies a row and writes it strided in some storage type: target, stride, source, count, factor. Not 0 where all of it was finite.
  typealias Store = @convention(c) (UnsafeMutableRawPointer?, Int, UnsafeRawPointer?, Int, Double) -> Int32

  private let entries: UnsafePointer<CAttentionKernels_rows>

  init(_ kernels: KernelTable) {
    let table = UnsafeRawPointer(kernels)
    let offset =
      switch AccumulatorType(Scalar.self) {
      case .float32: offsets.f32
      case .float64: offsets.f64
      }
    entries = (table + offset).assumingMemoryBound(to: CAttentionKernels_rows.self)
  }

  func load(_ type: StorageType) -> Load {
    switch type {
    case .float64: entries.pointee.load_from_f64
    case .float32: entries.pointee.load_from_f32
    case .float16: entries.pointee.load_from_f16
    case .bfloat16: entries.pointee.load_from_bf16
    }
  }

  /// The same of rows of keys or values; the factor is a row's scale, and the stride is ``RowRun/step(_:)``.
  func load(_ type: RowStorage) -> Load {
    switch type {
    case .numbers(let type): load(type)
    case .int8: entries.pointee.load_from_i8
    case .int4: entries.pointee.load_from_i4
    case .planes: entries.pointee.load_from_planes
    }
  }

  func store(_ type: StorageType) -> Store {
    switch type {
    case .float64: entries.pointee.store_to_f64
    case .float32: entries.pointee.store_to_f32
    case .float16: entries.pointee.store_to_f16
    case .bfloat16: entries.pointee.store_to_bf16
    }
  }
}

/// Where the rows' entries lie in a table.
private let offsets: (f32: Int, f64: Int) = {
  guard let f32 = MemoryLayout<CAttentionKernels>.offset(of: \.f32),
    let f64 = MemoryLayout<CAttentionKernels>.offset(of: \.f64)
  else { preconditionFailure("tables of kernels have no entries for rows") }
  return (f32, f64)
}()

extension RowKernels {
  /// Scores become weights; the running softmax moves on.
  func softmaxTile(_ tile: ScoreTile<Scalar>, _ softmax: OnlineSoftmax<Scalar>) {
    var arguments = CAttentionKernels_softmax_tile(
      scores: tile.scores.base, row_stride: tile.scores.leadingDimension, rows: tile.rows,
      columns: tile.columns, hides_by_infinity: tile.hidesByInfinity ? 1 : 0, begin: tile.seen.begin,
      end: tile.seen.end, maximum: softmax.maximum, sum: softmax.sum, rescale: softmax.rescale)
    entries.pointee.softmax_tile(&arguments)
  }

  func transpose(
    _ source: MatrixOperand<Scalar>, rows: Int, columns: Int, into target: MutableMatrixOperand<Scalar>
  ) {
    entries.pointee.transpose(
      target.base, target.leadingDimension, source.base, source.leadingDimension, rows, columns)
  }

  func scale(_ row: UnsafeMutablePointer<Scalar>, _ count: Int, _ factor: Scalar) {
    entries.pointee.scale(row, count, Double(factor))
  }

  /// `target = target · factor + other · otherFactor`
  func scaleAndAdd(
    _ target: UnsafeMutablePointer<Scalar>, _ count: Int, _ factor: Scalar, _ other: UnsafePointer<Scalar>,
    _ otherFactor: Scalar
  ) {
    entries.pointee.scale_and_add(target, count, Double(factor), other, Double(otherFactor))
  }

  /// Adds a bias to scores; −∞ in it hides, whatever the score.
  func addBias(_ scores: UnsafeMutablePointer<Scalar>, _ bias: UnsafePointer<Scalar>, _ count: Int) {
    entries.pointee.add_bias(scores, bias, count)
  }

  /// Adds a bias to another; −∞ in either hides.
  func combineBias(_ sum: UnsafeMutablePointer<Scalar>, _ bias: UnsafePointer<Scalar>, _ count: Int) {
    entries.pointee.combine_bias(sum, bias, count)
  }

  /// Whether all numbers are finite.
  func areFinite(_ numbers: UnsafePointer<Scalar>, _ count: Int) -> Bool {
    entries.pointee.all_finite(numbers, count) != 0
  }

  /// `s = softcap · tanh(s / softcap)`; whether all scores were finite before.
  func cap(_ scores: UnsafeMutablePointer<Scalar>, _ count: Int, _ softcap: Double) -> Bool {
    entries.pointee.softcap(scores, count, softcap) != 0
  }

  /// `s[i] −= slope · |distance + i|`
  func addALiBi(_ scores: UnsafeMutablePointer<Scalar>, _ count: Int, _ slope: Double, _ distance: Int) {
    entries.pointee.add_alibi(scores, count, slope, Double(distance))
  }

  /// Hides the scores whose byte is 0.
  func hide(
    _ scores: UnsafeMutablePointer<Scalar>, _ visible: UnsafePointer<UInt8>, stride: Int, _ count: Int
  ) {
    entries.pointee.hide(scores, visible, stride, count)
  }
}

/// A tile of scores, `rows × columns`.
struct ScoreTile<Scalar> {
  let scores: MutableMatrixOperand<Scalar>
  let rows: Int
  let columns: Int
  /// Counted in the tile.
  let seen: SeenKeys
  /// Whether rules make scores −∞ to hide keys; where not, one that is −∞ has overflowed, and its row's sum becomes NaN.
  let hidesByInfinity: Bool
}

extension KernelTable {
  typealias Products = @convention(c) (UnsafePointer<CAttentionKernels_products>?) -> Void
  typealias Sums = @convention(c) (UnsafePointer<CAttentionKernels_sums>?) -> Void

  /// Scores of Float queries with keys of some storage type, streamed.
  func streamProducts(_ keys: RowStorage) -> Products {
    switch keys {
    case .numbers(.float32): pointee.products_from_f32
    case .numbers(.float16): pointee.products_from_f16
    case .numbers(.bfloat16): pointee.products_from_bf16
    case .numbers(.float64): preconditionFailure("float64 keys under sums in float32")
    case .int8: pointee.products_from_i8
    case .int4: pointee.products_from_i4
    case .planes: preconditionFailure("keys of two planes are read into scratch")
    }
  }

  /// Float sums of weighted values of some storage type, streamed.
  func streamSums(_ values: RowStorage) -> Sums {
    switch values {
    case .numbers(.float32): pointee.sums_from_f32
    case .numbers(.float16): pointee.sums_from_f16
    case .numbers(.bfloat16): pointee.sums_from_bf16
    case .numbers(.float64): preconditionFailure("float64 values under sums in float32")
    case .int8: pointee.sums_from_i8
    case .int4: pointee.sums_from_i4
    case .planes: preconditionFailure("values of two planes")
    }
  }

  /// Scores of bfloat16 queries with bfloat16 keys, streamed, by the CPU's own products of pairs; nil where it has none.
  var streamDots: Products? {
    pointee.dot_products_from_bf16
  }

  /// Packs what an additive mask of some storage type says of a panel's rows.
  func packBias(
    _ bias: StorageType
  )
    -> @convention(c) (
      UnsafeMutablePointer<Float>?, UnsafeMutablePointer<UInt32>?,
      UnsafePointer<CAttentionKernels_panel_rows>?, Int, Int, Int32
    ) -> Void
  {
    switch bias {
    case .float64: pointee.pack_bias_f64
    case .float32: pointee.pack_bias_f32
    case .float16: pointee.pack_bias_f16
    case .bfloat16: pointee.pack_bias_bf16
    }
  }

  /// Writes the rows of a panel in some storage type.
  func finishPanel(
    _ output: StorageType
  ) -> @convention(c) (UnsafePointer<CAttentionKernels_finish>?, UnsafeMutablePointer<UInt8>?) -> Void {
    switch output {
    case .float32: pointee.finish_panel_f32
    case .float16: pointee.finish_panel_f16
    case .bfloat16: pointee.finish_panel_bf16
    case .float64: preconditionFailure("float64 output of sums in float32")
    }
  }

  /// Rotates rows of some storage type.
  func rotate(_ type: StorageType) -> @convention(c) (UnsafePointer<CAttentionKernels_rotation>?) -> Void {
    switch type {
    case .float64: pointee.rotate_f64
    case .float32: pointee.rotate_f32
    case .float16: pointee.rotate_f16
    case .bfloat16: pointee.rotate_bf16
    }
  }
}
