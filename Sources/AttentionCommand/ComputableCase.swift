import Attention
import Parallelism
import TensorFiles

/// A case that was read and checked, ready to be computed.
protocol ComputableCase {
  /// A file's worth of results.
  func results(on pool: WorkerPool) throws -> SafetensorsWriter

  /// How the case would be computed, in words.
  func explanation(on pool: WorkerPool) throws -> String
}

/// Reads the case of a file.
///
/// - Parameter metadata: the file's attributes, as flags have changed them.
/// - Returns: the case, and the metadata that has no effect.
/// - Throws: ``CaseError`` for what the file has no sense in, and other errors of reading it.
func readCase(
  _ file: SafetensorsFile, _ metadata: [String: String]
) throws -> (case: any ComputableCase, ignoredNames: [String]) {
  switch try CaseOperator(metadata) {
  case .attention:
    let attributes = try CaseAttributes(metadata)
    let read: any ComputableCase =
      switch try checkCaseTensors(of: file) {
      case .float64: try AttentionCase<Double>(file, attributes)
      case .float32: try AttentionCase<Float>(file, attributes)
      case .float16: try AttentionCase<Float16>(file, attributes)
      case .bfloat16: try AttentionCase<BFloat16>(file, attributes)
      case let type: throw CaseError("Q", "holds \(type), expected a floating-point type")
      }
    return (read, attributes.ignoredNames)
  case .rotaryEmbedding:
    let attributes = try RotaryAttributes(metadata)
    let read: any ComputableCase =
      switch try checkRotaryTensors(of: file) {
      case .float64: try RotaryCase<Double>(file, attributes)
      case .float32: try RotaryCase<Float>(file, attributes)
      case .float16: try RotaryCase<Float16>(file, attributes)
      case .bfloat16: try RotaryCase<BFloat16>(file, attributes)
      case let type: throw CaseError("input", "holds \(type), expected a floating-point type")
      }
    return (read, attributes.ignoredNames)
  }
}
