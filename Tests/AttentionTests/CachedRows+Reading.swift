import Attention
import AttentionReference
import TestSupport

/// A sequence's rows for caches of all kinds, and what is read back from them.
struct CachedInputs {
  let heads: HeadCounts
  let depth: Int
  /// `[T, Hkv, D]`
  let keys: Tensor<Float>
  let values: Tensor<Float>
  /// `[T, Hq, D]`
  let queries: Tensor<Float>

  init(_ count: Int, heads: HeadCounts, depth: Int, seed: UInt64 = 3) {
    self.heads = heads
    self.depth = depth
    keys = .normal([count, heads.keyValue, depth], seed: seed)
    values = .normal([count, heads.keyValue, depth], seed: seed + 1)
    queries = .normal([count, heads.query, depth], seed: seed + 2)
  }

  var count: Int { keys.shape[0] }

  func pool(
    _ types: CachedTypes, pageSize: Int, pages: Int
  ) throws -> KeyValuePool {
    try KeyValuePool(
      layers: 1, heads: heads.keyValue, depth: depth, keys: types.keys, values: types.values,
      pageSize: pageSize, pages: pages)
  }

  /// Appends some rows to a sequence.
  func append(_ rows: Range<Int>, to sequence: KeyValueSequence) throws {
    let step = try KeyValueStep([sequence], appending: [rows.count])
    try write(rows, step)
    try step.commit()
  }

  func write(_ rows: Range<Int>, _ step: KeyValueStep) throws {
    try step.write(layer: 0, keys: keys.sliced(axis: 0, rows), values: values.sliced(axis: 0, rows))
  }
}

/// What a cache keeps its keys and values in.
struct CachedTypes: Sendable, CustomStringConvertible {
  let keys: KeyValueType
  let values: KeyValueType

  var description: String { "\(keys) keys and \(values) values" }

  static let valueTypes = KeyValueType.allCases.filter { $0 != .planes }
  static let all = KeyValueType.allCases.filter { $0 != .int4 }.flatMap { keys in
    valueTypes.map { CachedTypes(keys: keys, values: $0) }
  }

  /// The contract's bound for Float32 queries of unit variance.
  func bound(_ largestValue: Double) -> Double {
    if keys.isQuantized || values.isQuantized { return 0x1p-14 * largestValue }
    return keys == .float32 && values == .float32 ? 2e-6 : 2e-5
  }

  /// The numbers that a cache keeps of these rows, by the definition.
  static func stored(_ tensor: Tensor<Float>, _ type: KeyValueType) throws -> Tensor<Float> {
    let columns = tensor.shape[2]
    func quantized(_ groups: Int, _ most: Float) throws -> Tensor<Float> {
      var elements = tensor.elements
      for row in stride(from: 0, to: elements.count, by: columns) {
        for first in stride(from: row, to: row + columns, by: groups) {
          let group = first..<min(first + groups, row + columns)
          let scale = elements[group].map(\.magnitude).max()! / most
          for index in group {
            elements[index] = scale == 0 ? 0 : scale * (elements[index] / scale).rounded(.toNearestOrEven)
          }
        }
      }
      return try Tensor(elements, shape: tensor.shape)
    }
    return switch type {
    case .float32: tensor
    case .bfloat16: tensor.converted(to: BFloat16.self).converted(to: Float.self)
    case .float16: tensor.converted(to: Float16.self).converted(to: Float.self)
    case .int8: try quantized(columns, 127)
    case .int4: try quantized(32, 7)
    case .planes: try quantized(columns, 32639)
    }
  }
}

extension Tensor {
  /// `[T, H, D]` as `[1, H, T, D]`.
  var asBatch: Tensor { permuted(1, 0, 2).expanded(axis: 0) }
}
