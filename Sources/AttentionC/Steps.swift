// The headers document what is public here.
// swift-format-ignore-file: AllPublicDeclarationsHaveDocumentation

import Attention
import CAttention

@c @implementation
public func attention_step_create(
  _ sequences: UnsafePointer<OpaquePointer?>?, _ sequence_count: Int64, _ counts: UnsafePointer<Int64>?,
  _ tokens: UnsafePointer<Int64>?, _ step: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(step, "step") { () throws(AttentionError) in
    let sequences = try handles(sequences, sequence_count, as: KeyValueSequence.self, "sequences")
    let counts = try numbers(counts, sequence_count, "counts").map { Int($0) }
    try askForLists(of: sequences.count, sequenceBytes, "sequences")
    guard let tokens else { return try KeyValueStep(sequences, appending: counts) }
    var total = 0
    for (index, count) in counts.enumerated() {
      let (sum, overflow) = total.addingReportingOverflow(count)
      guard count >= 0, !overflow, sum <= Int(Int32.max) else {
        throw AttentionError(
          "counts", "\(count) tokens to sequence \(index) given, expected 0 or more, \(Int32.max) in all")
      }
      total = sum
    }
    try askForLists(of: total, tokenBytes, "counts")
    var next = 0
    return try KeyValueStep(
      sequences,
      appending: counts.map { count in
        defer { next += count }
        return (next..<next + count).map { Int(tokens[$0]) }
      })
  }
}

/// What the lists of a step take for each of its sequences, and for each token of known id: at most, with pages of one token.
private let sequenceBytes = 256
private let tokenBytes = 128

@c @implementation
public func attention_step_write(
  _ step: OpaquePointer?, _ layer: Int64, _ keys: UnsafePointer<attention_tensor>?,
  _ values: UnsafePointer<attention_tensor>?, _ rotary: OpaquePointer?, _ threads: OpaquePointer?
) -> attention_status {
  reporting { () throws(AttentionError) in
    let keys = try Operand(keys, "keys")
    var embedding: RotaryEmbedding?
    if rotary != nil { embedding = try handle(rotary, as: RotaryHandle.self, "rotary").rotary }
    try keys.withFloatType(
      WriteKeys(
        step: handle(step, as: KeyValueStep.self, "step"), layer: Int(layer), keys: keys,
        values: Operand(values, "values"), rotary: embedding, workers: pool(threads)))
  }
}

private struct WriteKeys: ForEachFloatType {
  let step: KeyValueStep
  let layer: Int
  let keys: Operand
  let values: Operand
  let rotary: RotaryEmbedding?
  let workers: WorkerPool

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) {
    try values.withFloatType(WriteValues(all: self, keys: keys.tensor(as: type)))
  }
}

private struct WriteValues<Key: AttentionElement>: ForEachFloatType {
  let all: WriteKeys
  let keys: Tensor<Key>

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) {
    try all.step.write(
      layer: all.layer, keys: keys, values: all.values.tensor(as: type), rotary: all.rotary, on: all.workers)
  }
}

@c @implementation
public func attention_step_positions(
  _ step: OpaquePointer?, _ positions: UnsafeMutablePointer<Int64>?, _ count: Int64
) -> attention_status {
  reporting { () throws(AttentionError) in
    let step = try handle(step, as: KeyValueStep.self, "step")
    guard count == step.totalRows else {
      throw AttentionError("count", "\(count) given, expected the step's \(step.totalRows) tokens")
    }
    let found = try step.positions
    if count == 0 { return }
    let positions = try positions.required("positions")
    found.withUnsafePointer { positions.update(from: $0, count: step.totalRows) }
  }
}

@c @implementation
public func attention_step_commit(_ step: OpaquePointer?) -> attention_status {
  reporting { () throws(AttentionError) in
    let step = try handle(step, as: KeyValueStep.self, "step")
    // The ids of all tokens may move.
    let kept = step.sequences.reduce(0) { $0 + $1.count }
    try askForLists(of: kept + step.totalRows, tokenBytes, "step")
    try step.commit()
  }
}

@c @implementation
public func attention_step_destroy(_ step: OpaquePointer?) {
  // Others may hold views of the step; what it reserved goes back now.
  if let step { Unmanaged<KeyValueStep>.fromOpaque(UnsafeRawPointer(step)).takeUnretainedValue().cancel() }
  destroy(step, as: KeyValueStep.self)
}

// MARK: - Rotary embedding

@c @implementation
public func attention_rotary_create(
  _ depth: Int64, _ rotated: Int64, _ positions: Int64, _ base: Double, _ interleaved: Int32,
  _ rotary: UnsafeMutablePointer<OpaquePointer?>?
) -> attention_status {
  make(rotary, "rotary") { () throws(AttentionError) in
    RotaryHandle(
      try RotaryEmbedding(
        headDimension: Int(depth), positions: Int(positions), base: base,
        pairs: RotaryEmbedding.Pairs(
          interleaved == 0 ? .halves : .interleaved, rotaryDimension: rotated == 0 ? nil : Int(rotated))))
  }
}

@c @implementation
public func attention_rotary_destroy(_ rotary: OpaquePointer?) { destroy(rotary, as: RotaryHandle.self) }

@c @implementation
public func attention_rotary_apply(
  _ rotary: OpaquePointer?, _ tensor: UnsafePointer<attention_tensor>?, _ positions: UnsafePointer<Int64>?,
  _ position_count: Int64
) -> attention_status {
  reporting { () throws(AttentionError) in
    let tensor = try Operand(tensor, "tensor")
    let list = try numbers(positions, position_count, "positions")
    try tensor.withFloatType(
      Rotate(rotary: handle(rotary, as: RotaryHandle.self, "rotary").rotary, tensor: tensor, positions: list))
  }
}

private struct Rotate: ForEachFloatType {
  let rotary: RotaryEmbedding
  let tensor: Operand
  let positions: UnsafeBufferPointer<Int64>

  func callAsFunction<Element: AttentionElement>(_ type: Element.Type) throws(AttentionError) {
    let ids: Tensor<Int64>
    if let base = positions.baseAddress {
      ids = try Tensor(unsafeExternal: base, shape: [positions.count], owner: Borrowed())
    } else {
      ids = try Tensor([], shape: [0])
    }
    try rotary.apply(to: tensor.view(of: type), positions: .ids(ids))
  }
}
