import CAttentionKernels
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// `exp` of the C library.
private func exponential(_ x: Double) -> Double { exp(x) }

/// `log` of the C library; inside the extension that name is the requirement's.
private func naturalLogarithm(_ x: Double) -> Double { log(x) }

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

  static func log(_ x: Double) -> Double { naturalLogarithm(x) }

  static func exp(_ x: Double) -> Double { exponential(x) }

  static func load(_ type: ElementType, _ kernels: KernelTable) -> Load {
    switch type {
    case .float16: kernels.pointee.load_f64_from_f16
    case .bfloat16: kernels.pointee.load_f64_from_bf16
    case .float32: kernels.pointee.load_f64_from_f32
    default: kernels.pointee.load_f64_from_f64
    }
  }

  static func store(_ type: ElementType, _ kernels: KernelTable) -> Store {
    switch type {
    case .float32: kernels.pointee.store_f64_to_f32
    case .float16: kernels.pointee.store_f64_to_f16
    case .bfloat16: kernels.pointee.store_f64_to_bf16
    default: kernels.pointee.store_f64_to_f64
    }
  }

  static func softmaxTile(
    _ tile: ScoreTile<Double>, _ softmax: OnlineSoftmax<Double>, _ kernels: KernelTable
  ) {
    var arguments = CAttentionKernels_softmax_tile_f64(
      scores: tile.scores, row_stride: tile.rowStride, rows: tile.rows, columns: tile.columns,
      hides_by_infinity: tile.hidesByInfinity ? 1 : 0,
      begin: tile.begin, end: tile.end, maximum: softmax.maximum, sum: softmax.sum, rescale: softmax.rescale)
    kernels.pointee.softmax_tile_f64(&arguments)
  }

  static func transpose(
    _ source: MatrixOperand<Double>, rows: Int, columns: Int, into target: MutableMatrixOperand<Double>,
    _ kernels: KernelTable
  ) {
    kernels.pointee.transpose_f64(
      target.base, target.leadingDimension, source.base, source.leadingDimension, rows, columns)
  }

  static func scale(
    _ row: UnsafeMutablePointer<Double>, _ count: Int, _ factor: Double, _ kernels: KernelTable
  ) {
    kernels.pointee.scale_f64(row, count, factor)
  }

  static func scaleAndAdd(
    _ target: UnsafeMutablePointer<Double>, _ count: Int, _ factor: Double, _ other: UnsafePointer<Double>,
    _ otherFactor: Double, _ kernels: KernelTable
  ) {
    kernels.pointee.scale_and_add_f64(target, count, factor, other, otherFactor)
  }

  static func addBias(
    _ scores: UnsafeMutablePointer<Double>, _ bias: UnsafePointer<Double>, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.add_bias_f64(scores, bias, count)
  }

  static func combineBias(
    _ sum: UnsafeMutablePointer<Double>, _ bias: UnsafePointer<Double>, _ count: Int, _ kernels: KernelTable
  ) {
    kernels.pointee.combine_bias_f64(sum, bias, count)
  }

  static func areFinite(_ numbers: UnsafePointer<Double>, _ count: Int, _ kernels: KernelTable) -> Bool {
    kernels.pointee.all_finite_f64(numbers, count) != 0
  }

  static func cap(
    _ scores: UnsafeMutablePointer<Double>, _ count: Int, _ softcap: Double, _ kernels: KernelTable
  ) -> Bool {
    kernels.pointee.softcap_f64(scores, count, softcap, 1 / softcap) != 0
  }

  static func addALiBi(
    _ scores: UnsafeMutablePointer<Double>, _ count: Int, _ slope: Double, _ distance: Double,
    _ kernels: KernelTable
  ) {
    kernels.pointee.add_alibi_f64(scores, count, slope, distance)
  }

  static func modify(_ block: ScoreBlock<Double>, _ modifier: ScoreModifier) { modifier.double(block) }

  static func hide(
    _ scores: UnsafeMutablePointer<Double>, _ visible: UnsafePointer<UInt8>, stride: Int, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.hide_f64(scores, visible, stride, count)
  }
}
