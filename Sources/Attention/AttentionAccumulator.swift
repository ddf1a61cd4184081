import CAttentionKernels
import LinearAlgebra

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

  static func log(_ x: Self) -> Self
  static func exp(_ x: Self) -> Self
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
    _ tile: ScoreTile<Self>, _ softmax: OnlineSoftmax<Self>, _ kernels: KernelTable)
  static func transpose(
    _ source: MatrixOperand<Self>, rows: Int, columns: Int, into target: MutableMatrixOperand<Self>,
    _ kernels: KernelTable)
  static func scale(_ row: UnsafeMutablePointer<Self>, _ count: Int, _ factor: Self, _ kernels: KernelTable)
  /// `target = target · factor + other · otherFactor`
  static func scaleAndAdd(
    _ target: UnsafeMutablePointer<Self>, _ count: Int, _ factor: Self, _ other: UnsafePointer<Self>,
    _ otherFactor: Self, _ kernels: KernelTable)
  static func addBias(
    _ scores: UnsafeMutablePointer<Self>, _ bias: UnsafePointer<Self>, _ count: Int, _ kernels: KernelTable)
  static func combineBias(
    _ sum: UnsafeMutablePointer<Self>, _ bias: UnsafePointer<Self>, _ count: Int, _ kernels: KernelTable)
  /// Whether all numbers are finite.
  static func areFinite(_ numbers: UnsafePointer<Self>, _ count: Int, _ kernels: KernelTable) -> Bool
  /// `s = softcap · tanh(s / softcap)`; whether all scores were finite before.
  static func cap(
    _ scores: UnsafeMutablePointer<Self>, _ count: Int, _ softcap: Self, _ kernels: KernelTable
  ) -> Bool
  /// `s[i] −= slope · |distance + i|`
  static func addALiBi(
    _ scores: UnsafeMutablePointer<Self>, _ count: Int, _ slope: Self, _ distance: Self,
    _ kernels: KernelTable)
  static func modify(_ block: ScoreBlock<Self>, _ modifier: ScoreModifier)
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
  /// Whether rules make scores −∞ to hide keys; where not, one that is −∞ has overflowed, and its row's sum becomes NaN.
  let hidesByInfinity: Bool
}
