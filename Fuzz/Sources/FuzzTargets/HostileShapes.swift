import Attention

/// Arguments of attention that fit each other as a rule, and may be anything.
extension InputBytes {
  /// These lengths, one of which may be another, or missing; with an axis of 0 the others may be of any length.
  mutating func shape(_ lengths: [Int]) -> Shape {
    var lengths = lengths
    if chance(1) {
      let axis = int(0...lengths.count - 1)
      switch int(0...3) {
      case 0: lengths[axis] = int(0...20)
      case 1: lengths.remove(at: axis)
      case 2: lengths.insert(int(0...2), at: axis)
      default:
        lengths[axis] = 0
        for other in lengths.indices where other != axis && chance(3) {
          lengths[other] = pick([1 << 20, 1 << 31, 1 << 40, 1 << 61])
        }
      }
    }
    return Shape(lengths)
  }

  /// Numbers from -1 to 1, in an order of axes that may not be that of memory.
  ///
  /// - Throws: where there are more elements than an input is worth.
  mutating func tensor<E: AttentionElement>(_ shape: Shape, _: E.Type) throws(AttentionError) -> Tensor<E> {
    let seed = Int(byte())
    func filled(_ shape: Shape) throws(AttentionError) -> Tensor<E> {
      guard let count = shape.checkedElementCount, count <= 1 << 14 else {
        throw AttentionError("shape", "\(shape) given, expected few elements")
      }
      return try Tensor(
        (0..<count).map { E(nearest: Double(($0 * 29 + seed * 7) % 65) / 32 - 1) }, shape: shape)
    }
    guard shape.count == 4, chance(2) else { return try filled(shape) }
    return try filled([shape[0], shape[2], shape[1], shape[3]]).permuted(0, 2, 1, 3)
  }

  /// A tensor of one of the types that keys and values are stored in.
  mutating func keyValueTensor(_ shape: Shape) throws(AttentionError) -> any KeyValueTensor {
    switch int(0...5) {
    case 0, 1: return try tensor(shape, Float.self)
    case 2: return try tensor(shape, BFloat16.self)
    case 3: return try tensor(shape, Float16.self)
    case 4: return try tensor(shape, Double.self)
    default:
      guard shape.last ?? 0 > 0 else { throw AttentionError("shape", "\(shape) given, expected columns") }
      let quantized = try QuantizedTensor(quantizing: tensor(shape, Float.self))
      if chance(7) { return quantized }
      let scales = try tensor(self.shape(Array(shape.dropLast())), Float.self)
      return QuantizedTensor(integers: quantized.integers, scales: scales / 127)
    }
  }

  /// How long sequences are: each at most `most`, but for one that may be anything.
  mutating func lengths(_ count: Int, most: Int) -> [Int] {
    var lengths = (0..<max(0, min(count, 64))).map { _ in int(0...max(0, min(most, 200))) }
    if chance(1) {
      switch int(0...2) {
      case 0: lengths.append(anyInt())
      case 1: lengths = Array(lengths.dropLast())
      default: if !lengths.isEmpty { lengths[int(0...lengths.count - 1)] = anyInt() }
      }
    }
    return lengths
  }

  mutating func alignment(_ batch: Int) -> QueryAlignment {
    switch int(0...3) {
    case 0: .bottomRight
    case 1: .topLeft
    case 2: .offset(anyInt())
    default: .offsets((0..<(chance(1) ? int(0...4) : batch)).map { _ in anyInt() })
    }
  }
}
