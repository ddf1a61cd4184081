import CAttentionKernels
import LinearAlgebra

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

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

  static func log(_ x: Float) -> Float { logf(x) }

  static func exp(_ x: Float) -> Float { expf(x) }

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
    _ tile: ScoreTile<Float>, _ softmax: OnlineSoftmax<Float>, _ kernels: KernelTable
  ) {
    var arguments = CAttentionKernels_softmax_tile_f32(
      scores: tile.scores, row_stride: tile.rowStride, rows: tile.rows, columns: tile.columns,
      hides_by_infinity: tile.hidesByInfinity ? 1 : 0,
      begin: tile.begin, end: tile.end, maximum: softmax.maximum, sum: softmax.sum, rescale: softmax.rescale)
    kernels.pointee.softmax_tile_f32(&arguments)
  }

  static func transpose(
    _ source: MatrixOperand<Float>, rows: Int, columns: Int, into target: MutableMatrixOperand<Float>,
    _ kernels: KernelTable
  ) {
    kernels.pointee.transpose_f32(
      target.base, target.leadingDimension, source.base, source.leadingDimension, rows, columns)
  }

  static func scale(
    _ row: UnsafeMutablePointer<Float>, _ count: Int, _ factor: Float, _ kernels: KernelTable
  ) {
    kernels.pointee.scale_f32(row, count, factor)
  }

  static func scaleAndAdd(
    _ target: UnsafeMutablePointer<Float>, _ count: Int, _ factor: Float, _ other: UnsafePointer<Float>,
    _ otherFactor: Float, _ kernels: KernelTable
  ) {
    kernels.pointee.scale_and_add_f32(target, count, factor, other, otherFactor)
  }

  static func addBias(
    _ scores: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.add_bias_f32(scores, bias, count)
  }

  static func combineBias(
    _ sum: UnsafeMutablePointer<Float>, _ bias: UnsafePointer<Float>, _ count: Int, _ kernels: KernelTable
  ) {
    kernels.pointee.combine_bias_f32(sum, bias, count)
  }

  static func areFinite(_ numbers: UnsafePointer<Float>, _ count: Int, _ kernels: KernelTable) -> Bool {
    kernels.pointee.all_finite_f32(numbers, count) != 0
  }

  static func cap(
    _ scores: UnsafeMutablePointer<Float>, _ count: Int, _ softcap: Float, _ kernels: KernelTable
  ) -> Bool {
    kernels.pointee.softcap_f32(scores, count, softcap, 1 / softcap) != 0
  }

  static func addALiBi(
    _ scores: UnsafeMutablePointer<Float>, _ count: Int, _ slope: Float, _ distance: Float,
    _ kernels: KernelTable
  ) {
    kernels.pointee.add_alibi_f32(scores, count, slope, distance)
  }

  static func modify(_ block: ScoreBlock<Float>, _ modifier: ScoreModifier) { modifier.float(block) }

  static func hide(
    _ scores: UnsafeMutablePointer<Float>, _ visible: UnsafePointer<UInt8>, stride: Int, _ count: Int,
    _ kernels: KernelTable
  ) {
    kernels.pointee.hide_f32(scores, visible, stride, count)
  }
}
