import Attention
import TestSupport

// Keys and values in the storage types of a draw: the operator learns them when it runs, and a test has to name them.

extension PropertyInputs {
  func stored(_ k: Tensor<E>, _ v: Tensor<E>, lengths: [Int]?) -> KeyValues {
    stored(k, v, in: TensorSource(lengths: lengths))
  }

  func stored(packed k: Tensor<E>, _ v: Tensor<E>, lengths: [Int]) -> KeyValues {
    stored(k, v, in: PackedSource(lengths: lengths))
  }

  func stored(pages k: Tensor<E>, _ v: Tensor<E>, _ table: Tensor<Int32>, lengths: [Int]) -> KeyValues {
    stored(k, v, in: PagedSource(table: table, lengths: lengths))
  }

  private func stored(_ k: Tensor<E>, _ v: Tensor<E>, in source: some KeyValueSource) -> KeyValues {
    switch types.keys {
    case nil: stored(k, values: v, in: source)
    case .float32: stored(k.converted(to: Float.self), values: v, in: source)
    case .float64: stored(k.converted(to: Double.self), values: v, in: source)
    case .float16: stored(k.converted(to: Float16.self), values: v, in: source)
    case .bfloat16: stored(k.converted(to: BFloat16.self), values: v, in: source)
    case .int8: stored(PropertyQuantization(k).stored(like: k), values: v, in: source)
    }
  }

  private func stored(
    _ k: some KeyValueTensor, values v: Tensor<E>, in source: some KeyValueSource
  ) -> KeyValues {
    switch types.values {
    case nil: source.keyValues(k, v)
    case .float32: source.keyValues(k, v.converted(to: Float.self))
    case .float64: source.keyValues(k, v.converted(to: Double.self))
    case .float16: source.keyValues(k, v.converted(to: Float16.self))
    case .bfloat16: source.keyValues(k, v.converted(to: BFloat16.self))
    case .int8: source.keyValues(k, PropertyQuantization(v).stored(like: v))
    }
  }
}

/// Makes keys and values of tensors of any types.
private protocol KeyValueSource {
  func keyValues(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues
}

private struct TensorSource: KeyValueSource {
  let lengths: [Int]?

  func keyValues(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
    KeyValues(keys: k, values: v, lengths: lengths)
  }
}

private struct PackedSource: KeyValueSource {
  let lengths: [Int]

  func keyValues(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
    KeyValues(packedKeys: k, values: v, lengths: lengths)
  }
}

private struct PagedSource: KeyValueSource {
  let table: Tensor<Int32>
  let lengths: [Int]

  func keyValues(_ k: some KeyValueTensor, _ v: some KeyValueTensor) -> KeyValues {
    KeyValues(keyPages: k, valuePages: v, pageTable: table, lengths: lengths)
  }
}
