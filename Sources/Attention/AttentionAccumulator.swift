import CAttentionKernels
import Glibc
import LinearAlgebra
import Tensors

/// The kernels of one instruction set.
typealias KernelTable = UnsafePointer<CAttentionKernels>

/// The two types that scores, weights and sums are kept in, each with its kernels.
///
/// C has no generics: every requirement is the same operation on the entry of the table for this type.
protocol AttentionAccumulator: BLASScalar, AttentionElement, BinaryFloatingPoint {
  /// The C function that reads a row of some storage type.
  associatedtype Load
  /// The C function that writes a row in some storage type.
  associatedtype Store

  static func exp(_ x: Self) -> Self
  static func log(_ x: Self) -> Self
  static func load(_ type: ElementType, _ kernels: KernelTable) -> Load
  static func store(_ type: ElementType, _ kernels: KernelTable) -> Store
  /// Reads a strided row and multiplies it.
  static func run(
    _ load: Load, into target: UnsafeMutablePointer<Self>, _ source: UnsafeRawPointer, stride: Int,
    _ count: Int, factor: Self)
  /// Multiplies a row and writes it strided; whether all of it was finite.
  static func run(
    _ store: Store, into target: UnsafeMutableRawPointer, stride: Int, _ source: UnsafePointer<Self>,
    _ count: Int, factor: Self
  ) -> Bool
  static func softmaxTile(
    _ tile: ScoreTile<Self>, _ state: SoftmaxRows<Self>, _ kernels: KernelTable)
  static func scale(_ row: UnsafeMutablePointer<Self>, _ count: Int, _ factor: Self, _ kernels: KernelTable)
  static func addBias(
    _ scores: UnsafeMutablePointer<Self>, _ bias: UnsafePointer<Self>, _ count: Int, _ kernels: KernelTable)
  static func hide(
    _ scores: UnsafeMutablePointer<Self>, _ visible: UnsafePointer<UInt8>, stride: Int, _ count: Int,
    _ kernels: KernelTable)
}

/// A tile of scores: `rows × columns`, rows `rowStride` apart, each with the columns that it sees.
struct ScoreTile<Scalar> {
  let scores: UnsafeMutablePointer<Scalar>
  let rowStride: Int
  let rows: Int
  let columns: Int
  let begin: UnsafePointer<Int32>
  let end: UnsafePointer<Int32>
}

/// The running softmax state of the rows of a tile.
struct SoftmaxRows<Scalar> {
  let maximum: UnsafeMutablePointer<Scalar>
  let sum: UnsafeMutablePointer<Scalar>
  let rescale: UnsafeMutablePointer<Scalar>
}

extension Float: AttentionAccumulator {
  typealias Load =
    @convention(c) (UnsafeMutablePointer<Float>?, UnsafeRawPointer?, Int, Int, Float) -> Void
  typealias Store =
    @convention(c) (UnsafeMutableRawPointer?, Int, UnsafePointer<Float>?, Int, Float) -> Int32

  static func run(
    _ load: Load, into target: UnsafeMutablePointer<Float>, _ source: UnsafeRawPointer, stride: Int,
    _ count: Int, factor: Float
  ) {
    load(target, source, stride, count, factor)
  }

  static func run(
    _ store: Store, into target: UnsafeMutableRawPointer, stride: Int, _ source: UnsafePointer<Float>,
    _ count: Int, factor: Float
  ) -> Bool {
    store(target, stride, source, count, factor) != 0
  }

  static func exp(_ x: Float) -> Float { expf(x) }
  static func log(_ x: Float) -> Float { logf(x) }

  static func load(_ type: ElementType, _ kernels: KernelTable) -> Load {
    switch type {
    case .float16: kernels.pointee.load_f32_from_f16
    case .bfloat16: kernels.pointee.load_f32_from_bf16
    case .float64: kernels.pointee.load_f32_from_f64
    default: kernels.pointee.load_f32_from_f32
    }
  }

  static func store(_ type: ElementType, _ kernels: KernelTable) -> Store {
    switch type {
    case .float16: kernels.pointee.store_f32_to_f16
    case .bfloat16: kernels.pointee.store_f32_to_bf16
    default: kernels.pointee.store_f32_to_f32
    }
  }

  static func softmaxTile(
    _ tile: ScoreTile<Float>, _ state: SoftmaxRows<Float>, _ kernels: KernelTable
  ) {
    var arguments = CAttentionKernels_softmax_tile_f32(
      scores: tile.scores, row_stride: tile.rowStride, rows: tile.rows, columns: tile.columns,
      begin: tile.begin, end: tile.end, maximum: state.maximum, sum: state.sum, rescale: state.rescale)
    kernels.pointee.softmax_tile_f32(&arguments)
  }

  static func scale(
    _ row: UnsafeMutablePointer<Float>, _ count: Int, _ factor: Float, _ kernels: KernelTable
  ) {
    kernels.pointee.scale_f32(row, count, factor)
  }

  static func addBias(
    _ scores: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.add_bias_f32(scores, bias, count)
  }

  static func hide(
    _ scores: UnsafeMutablePointer<Float>, _ visible: UnsafePointer<UInt8>, stride: Int, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.hide_f32(scores, visible, stride, count)
  }
}

extension Double: AttentionAccumulator {
  typealias Load =
    @convention(c) (UnsafeMutablePointer<Double>?, UnsafeRawPointer?, Int, Int, Double) -> Void
  typealias Store =
    @convention(c) (UnsafeMutableRawPointer?, Int, UnsafePointer<Double>?, Int, Double) -> Int32

  static func run(
    _ load: Load, into target: UnsafeMutablePointer<Double>, _ source: UnsafeRawPointer, stride: Int,
    _ count: Int, factor: Double
  ) {
    load(target, source, stride, count, factor)
  }

  static func run(
    _ store: Store, into target: UnsafeMutableRawPointer, stride: Int, _ source: UnsafePointer<Double>,
    _ count: Int, factor: Double
  ) -> Bool {
    store(target, stride, source, count, factor) != 0
  }

  static func exp(_ x: Double) -> Double { Glibc.exp(x) }
  static func log(_ x: Double) -> Double { Glibc.log(x) }

  static func load(_ type: ElementType, _ kernels: KernelTable) -> Load {
    switch type {
    case .float16: kernels.pointee.load_f64_from_f16
    case .bfloat16: kernels.pointee.load_f64_from_bf16
    case .float32: kernels.pointee.load_f64_from_f32
    default: kernels.pointee.load_f64_from_f64
    }
  }

  static func store(_ type: ElementType, _ kernels: KernelTable) -> Store {
    kernels.pointee.store_f64_to_f64
  }

  static func softmaxTile(
    _ tile: ScoreTile<Double>, _ state: SoftmaxRows<Double>, _ kernels: KernelTable
  ) {
    var arguments = CAttentionKernels_softmax_tile_f64(
      scores: tile.scores, row_stride: tile.rowStride, rows: tile.rows, columns: tile.columns,
      begin: tile.begin, end: tile.end, maximum: state.maximum, sum: state.sum, rescale: state.rescale)
    kernels.pointee.softmax_tile_f64(&arguments)
  }

  static func scale(
    _ row: UnsafeMutablePointer<Double>, _ count: Int, _ factor: Double, _ kernels: KernelTable
  ) {
    kernels.pointee.scale_f64(row, count, factor)
  }

  static func addBias(
    _ scores: UnsafeMutablePointer<Double>, _ bias: UnsafePointer<Double>, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.add_bias_f64(scores, bias, count)
  }

  static func hide(
    _ scores: UnsafeMutablePointer<Double>, _ visible: UnsafePointer<UInt8>, stride: Int, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.hide_f64(scores, visible, stride, count)
  }
}
