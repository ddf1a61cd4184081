import Attention
import TensorFiles

// From attributes and tensors of a case file to the mask of a call.

extension CaseAttributes {
  /// The mask that the attributes, lengths and slopes ask for.
  ///
  /// Without `causal_alignment` the rule of ONNX holds: query 0 stands after the keys of the past, queries stand at the end of the
  /// keys that `nonpad_kv_seqlen` counts, and without either query 0 stands at the first key.
  /// - Parameters:
  ///   - pastLength: the keys of `past_key`; nil where there is none.
  ///   - keyLengths: `nonpad_kv_seqlen`.
  ///   - alibiSlopes: `alibi_slopes`.
  func mask(pastLength: Int?, keyLengths: [Int]?, alibiSlopes: [Double]?) -> AttentionMask {
    let alignment: QueryAlignment =
      switch alignment {
      case .topLeft: .topLeft
      case .bottomRight: .bottomRight
      case nil: keyLengths != nil ? .bottomRight : pastLength.map { .offset($0) } ?? .topLeft
      }
    var mask = AttentionMask.none
    if isCausal { mask = mask & .causal(alignment) }
    if leftWindow != nil || rightWindow != nil {
      mask = mask & .window(left: leftWindow, right: rightWindow, alignment)
    }
    if let alibiSlopes { mask = mask & .alibi(slopes: alibiSlopes, alignment) }
    return mask
  }
}

extension SafetensorsFile {
  /// The rule of the tensor `attn_mask`, or none where the file has no such tensor.
  ///
  /// - Parameters:
  ///   - scores: `[B, Hq, Tq, Tk]`. ONNX hides the keys past the end of a mask's last axis, even where that has length 1.
  ///   - keyCount: the keys of the longest sequence; what a mask says of others is left out.
  func attentionMask(of scores: Shape, keyCount: Int) throws -> AttentionMask {
    let name = "attn_mask"
    guard let entry = self[name] else { return .none }
    guard (1...4).contains(entry.shape.count), entry.shape.isMask(of: scores) else {
      throw CaseError(
        name, "shape \(entry.shape), expected 1 to 4 axes that broadcast to [B, Hq, Tq, Tk] = \(scores)")
    }
    switch entry.elementType {
    case .bool: return .boolean(try withoutRepeatedKey(tensor(name, as: Bool.self), keyCount))
    case .float64: return .additive(try withoutRepeatedKey(tensor(name, as: Double.self), keyCount))
    case .float32: return .additive(try withoutRepeatedKey(tensor(name, as: Float.self), keyCount))
    case .float16: return .additive(try withoutRepeatedKey(tensor(name, as: Float16.self), keyCount))
    case .bfloat16: return .additive(try withoutRepeatedKey(tensor(name, as: BFloat16.self), keyCount))
    case .int64, .int32, .int8, .uint8:
      throw CaseError(name, "holds \(entry.elementType), expected bool or a floating-point type")
    }
  }

  /// A last axis of length 1 made longer by a hidden key: attention would repeat it for all keys, as NumPy broadcasts.
  private func withoutRepeatedKey<E: TensorElement>(_ mask: Tensor<E>, _ keyCount: Int) throws -> Tensor<E> {
    if mask.shape.fromEnd(1) > Swift.max(1, keyCount) {
      return mask.sliced(axis: mask.rank - 1, 0..<keyCount)
    }
    guard mask.shape.fromEnd(1) == 1, keyCount > 1 else { return mask }
    var shape = mask.shape
    shape[shape.count - 1] = 2
    let hidden = E(nearest: E.elementType == .bool ? 0 : -.infinity)
    return try Tensor(mask.elements.flatMap { [$0, hidden] }, shape: shape)
  }
}

extension Shape {
  /// Whether a tensor of this shape is a mask of scores `[B, Hq, Tq, Tk]`: as NumPy broadcasts, but for a last axis that may be short.
  fileprivate func isMask(of scores: Shape) -> Bool {
    zip(dropLast().reversed(), scores.dropLast().reversed()).allSatisfy { $0 == 1 || $0 == $1 }
      && fromEnd(1) <= Swift.max(1, scores[3])
  }
}
