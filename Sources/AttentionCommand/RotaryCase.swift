import Attention
import Parallelism
import TensorFiles

/// What one call of rotary embedding needs, from a case file.
struct RotaryCase<Element: AttentionElement>: ComputableCase {
  /// `[B, H, T, D]`
  private let input: Tensor<Element>
  private let rotary: RotaryEmbedding
  private let positions: RotaryPositions
  /// Whether the file has its input as `[B, T, H·D]`, and wants its output so.
  private let isMerged: Bool

  /// Reads the tensors of a file that ``checkRotaryTensors(of:)`` has passed. Views where possible.
  init(_ file: SafetensorsFile, _ attributes: RotaryAttributes) throws {
    let tensor = try file.tensor("input", as: Element.self)
    isMerged = tensor.rank == 3
    input = try Self.heads(of: tensor, attributes.heads)
    let width = input.shape[3]
    let turned = attributes.rotaryDimension ?? width
    guard turned <= width else {
      throw CaseError("rotary_embedding_dim", "\(turned), expected at most the \(width) columns of a head")
    }
    guard turned >= 2, turned.isMultiple(of: 2) else {
      throw CaseError(
        "input", "heads of \(width) columns, expected an even number or a rotary_embedding_dim that is one")
    }
    let cosines = try file.tensor("cos_cache", as: Element.self)
    let sines = try file.tensor("sin_cache", as: Element.self)
    let (batch, tokens) = (input.shape[0], input.shape[2])
    if let ids = try file.integers("position_ids", rank: 2) {
      guard cosines.rank == 2, cosines.shape[1] == turned / 2 else {
        throw CaseError(
          "cos_cache", "shape \(cosines.shape), expected [positions, \(turned / 2)] beside position_ids")
      }
      guard ids.shape == [batch, tokens] else {
        throw CaseError("position_ids", "shape \(ids.shape), expected [\(batch), \(tokens)]")
      }
      positions = .ids(ids)
    } else {
      guard cosines.shape == [batch, tokens, turned / 2] else {
        throw CaseError(
          "cos_cache",
          "shape \(cosines.shape), expected [\(batch), \(tokens), \(turned / 2)] without position_ids")
      }
      positions = .rowPerToken
    }
    do {
      rotary = try RotaryEmbedding(
        cosines: cosines, sines: sines, headDimension: width,
        layout: attributes.isInterleaved ? .interleaved : .halves)
    } catch {
      throw CaseError(error)
    }
    let size = MemoryLayout<Element>.stride
    try MemoryNeed.check([
      MemoryNeed("input", "output of shape", input.shape, bytesPerElement: isMerged ? 2 * size : size)
    ])
  }

  /// The input with its heads as an axis.
  private static func heads(of tensor: Tensor<Element>, _ heads: Int?) throws -> Tensor<Element> {
    switch tensor.rank {
    case 3: return try tensor.splitHeads(heads, "num_heads", of: "input")
    case 4:
      if let heads, heads != tensor.shape[1] {
        throw CaseError(
          "num_heads", "\(heads), but input of shape \(tensor.shape) has \(tensor.shape[1]) heads")
      }
      return tensor
    default: throw CaseError("input", "shape \(tensor.shape), expected [B, H, T, D] or [B, T, H·D]")
    }
  }

  /// `output` in the shape and type of `input`.
  func results(on pool: WorkerPool) throws -> SafetensorsWriter {
    var writer = SafetensorsWriter()
    let output = try rotary.applied(to: input, positions: positions, on: pool)
    try writer.add("output", isMerged ? output.mergeHeads() : output)
    return writer
  }

  func explanation(on pool: WorkerPool) throws -> String {
    let pairs = rotary.layout == .interleaved ? "neighbours" : "numbers \(rotary.rotaryDimension / 2) apart"
    return """
      kernel     rotary embedding, pairs of \(pairs)
      columns    \(rotary.rotaryDimension) of \(input.shape[3]) turned, by \(rotary.positionCount) rows of angles
      """
  }
}

/// Checks that a file has the tensors of a case of `RotaryEmbedding` and no others, its tables of one type with its input.
///
/// - Returns: the element type of `input`.
/// - Throws: ``CaseError`` for tensors that are missing, unknown or of a type that attention does not take.
func checkRotaryTensors(of file: SafetensorsFile) throws(CaseError) -> any AttentionElement.Type {
  try file.checkTensorNames(of: .rotaryEmbedding)
  let type = try file.elementType(of: "input", "what is to be turned")
  _ = try file.elementType(of: "cos_cache", "the cosines", asIn: "input")
  _ = try file.elementType(of: "sin_cache", "the sines", asIn: "input")
  return try type.attentionElement(of: "input")
}
