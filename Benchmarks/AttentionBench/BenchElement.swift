import Attention
import BenchmarkKit

/// The element types that can be benchmarked.
enum BenchType: String, CaseIterable {
  case f32, f64, f16, bf16

  /// The type itself.
  var element: any BenchElement.Type {
    switch self {
    case .f32: Float.self
    case .f64: Double.self
    case .f16: Float16.self
    case .bf16: BFloat16.self
    }
  }
}

/// An element type and what is known about its arithmetic.
protocol BenchElement: AttentionElement {
  static var benchType: BenchType { get }

  /// The fastest arithmetic that the contract allows: its peak is the limit.
  static var arithmetic: Arithmetic { get }

  /// Half the distance from 1 to the next number.
  static var unitRoundoff: Double { get }

  /// How near a result computed elsewhere from unrounded inputs must come: the case files' rule.
  static var fileTolerance: (relative: Double, absolute: Double) { get }
}

extension Float: BenchElement {
  static var benchType: BenchType { .f32 }
  static var arithmetic: Arithmetic { .float32 }
  static var unitRoundoff: Double { 0x1p-24 }
  static var fileTolerance: (relative: Double, absolute: Double) { (1e-3, 1e-5) }
}

extension Double: BenchElement {
  static var benchType: BenchType { .f64 }
  static var arithmetic: Arithmetic { .float64 }
  static var unitRoundoff: Double { 0x1p-53 }
  static var fileTolerance: (relative: Double, absolute: Double) { (1e-3, 1e-5) }
}

extension Float16: BenchElement {
  static var benchType: BenchType { .f16 }
  static var arithmetic: Arithmetic { .float32 }
  static var unitRoundoff: Double { 0x1p-11 }
  static var fileTolerance: (relative: Double, absolute: Double) { (1e-2, 1e-2) }
}

extension BFloat16: BenchElement {
  static var benchType: BenchType { .bf16 }
  static var arithmetic: Arithmetic { .bfloat16 }
  static var unitRoundoff: Double { 0x1p-8 }
  static var fileTolerance: (relative: Double, absolute: Double) { (2e-2, 2e-2) }
}
