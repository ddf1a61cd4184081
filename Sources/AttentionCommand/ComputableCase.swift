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

/// Reads and checks the case of a file.
///
/// - Parameters:
///   - metadata: the file's attributes, as flags have changed them.
///   - pool: what the case will be computed on.
/// - Returns: the case, and the metadata that has no effect.
/// - Throws: ``CaseError`` for what the file has no sense in, and other errors of reading it.
func readCase(
  _ file: SafetensorsFile, _ metadata: [String: String], on pool: WorkerPool
) throws -> (case: any ComputableCase, ignoredNames: [String]) {
  switch try CaseOperator(metadata) {
  case .attention:
    let attributes = try CaseAttributes(metadata)
    func read<Element: AttentionElement>(_: Element.Type) throws -> any ComputableCase {
      try AttentionCase<Element>(file, attributes, on: pool)
    }
    return (try read(checkCaseTensors(of: file)), attributes.ignoredNames)
  case .rotaryEmbedding:
    let attributes = try RotaryAttributes(metadata)
    func read<Element: AttentionElement>(_: Element.Type) throws -> any ComputableCase {
      try RotaryCase<Element>(file, attributes)
    }
    return (try read(checkRotaryTensors(of: file)), attributes.ignoredNames)
  }
}
