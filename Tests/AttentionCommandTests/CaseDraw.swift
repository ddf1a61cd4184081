import TensorFiles
import Tensors
import TestSupport

/// Random case files: good ones of every layout, and what becomes of them when somebody changes them. The same for the same seed.
struct CaseDraw {
  private var generator: SplitMix
  private var metadata: [String: String] = [:]
  private var tensors: [String: Drawn] = [:]
  private(set) var changes: [String] = []

  /// A tensor that is not made yet.
  private struct Drawn {
    var type: ElementType
    var shape: [Int]
    /// The elements of integers; zeros where there are not as many as the shape has.
    var integers: [Int64] = []
  }

  /// A good case with up to three changes.
  init(seed: UInt64) {
    generator = SplitMix(seed: seed)
    drawLayout()
    drawRules()
    for _ in 0..<number(in: 0...3) { change() }
  }

  private mutating func number(in range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &generator) }

  private mutating func one<Choice>(of choices: [Choice]) -> Choice {
    choices[number(in: 0...choices.count - 1)]
  }

  private mutating func happens(oneIn count: Int) -> Bool { number(in: 1...count) == 1 }
}

// MARK: - Good cases

extension CaseDraw {
  private mutating func drawLayout() {
    let (batch, keyHeads, group) = (number(in: 0...2), number(in: 1...2), number(in: 1...2))
    let (queries, keys) = (number(in: 0...4), number(in: 0...6))
    let (depth, width) = (number(in: 1...4), number(in: 1...4))
    let type = one(of: [ElementType.float32, .float32, .float32, .float64, .float16, .bfloat16])
    func add(_ name: String, _ shape: [Int], in draw: inout CaseDraw) {
      draw.tensors[name] = Drawn(type: type, shape: shape)
    }
    let heads = keyHeads * group
    switch number(in: 0...4) {
    case 0:
      metadata = ["q_num_heads": "\(heads)", "kv_num_heads": "\(keyHeads)"]
      add("Q", [batch, queries, heads * depth], in: &self)
      add("K", [batch, keys, keyHeads * depth], in: &self)
      add("V", [batch, keys, keyHeads * width], in: &self)
    case 1:
      let (pages, size, blocks) = (number(in: 1...4), number(in: 1...3), number(in: 0...3))
      add("Q", [batch, heads, queries, depth], in: &self)
      add("K", [pages, size, keyHeads, depth], in: &self)
      add("V", [pages, size, keyHeads, width], in: &self)
      addIntegers("block_table", [batch, blocks], 0...pages - 1)
      if happens(oneIn: 2) { addIntegers("nonpad_kv_seqlen", [batch], 0...blocks * size) }
    case 2:
      add("Q", [batch * queries, heads, depth], in: &self)
      add("K", [batch * keys, keyHeads, depth], in: &self)
      add("V", [batch * keys, keyHeads, width], in: &self)
      for (name, length) in [("cu_seqlens_q", queries), ("cu_seqlens_k", keys)] {
        tensors[name] = Drawn(
          type: .int64, shape: [batch + 1], integers: (0...batch).map { Int64($0 * length) })
      }
    case let layout:
      add("Q", [batch, heads, queries, depth], in: &self)
      add("K", [batch, keyHeads, keys, depth], in: &self)
      add("V", [batch, keyHeads, keys, width], in: &self)
      if layout == 3 {
        let past = number(in: 0...3)
        add("past_key", [batch, keyHeads, past, depth], in: &self)
        add("past_value", [batch, keyHeads, past, width], in: &self)
      } else if happens(oneIn: 3) {
        addIntegers("nonpad_kv_seqlen", [batch], 0...keys)
      }
      if happens(oneIn: 2) {
        tensors["attn_mask"] = Drawn(
          type: one(of: [.bool, .float32]),
          shape: one(of: [[1], [keys], [queries, 1], [1, heads, 1, keys]]))
      }
    }
    drawStoredIntegers(keyHeads: keyHeads)
    if happens(oneIn: 4) { tensors["sinks"] = Drawn(type: .float32, shape: [heads]) }
    if happens(oneIn: 4) { tensors["alibi_slopes"] = Drawn(type: .float64, shape: [heads]) }
  }

  /// Makes keys, values or both integers with scales; not beside a past, which has none.
  private mutating func drawStoredIntegers(keyHeads: Int) {
    if tensors["past_key"] != nil || !happens(oneIn: 3) { return }
    for (name, scales) in [("K", "k_scale"), ("V", "v_scale")] where happens(oneIn: 2) {
      guard let shape = tensors[name]?.shape else { continue }
      let heads = metadata["kv_num_heads"] == nil ? [] : [keyHeads]
      tensors[name]?.type = .int8
      tensors[scales] = Drawn(
        type: one(of: [.float32, .float32, .float64, .float16]), shape: shape.dropLast() + heads)
    }
  }

  private mutating func addIntegers(_ name: String, _ shape: [Int], _ range: ClosedRange<Int>) {
    let numbers = (0..<shape.reduce(1, *)).map { _ in Int64(number(in: range)) }
    tensors[name] = Drawn(
      type: one(of: [.int64, .int32, .int8, .uint8]), shape: shape, integers: numbers)
  }

  private mutating func drawRules() {
    let rules = [
      ("is_causal", "1"), ("left_window_size", "1"), ("right_window_size", "0"), ("softcap", "2.5"),
      ("scale", "-0.5"), ("causal_alignment", "bottom_right"), ("qk_matmul_output_mode", "1"),
      ("softmax_precision", "11"),
    ]
    for (name, value) in rules where happens(oneIn: 4) { metadata[name] = value }
    // Packed sequences have no one matrix of scores.
    if tensors["cu_seqlens_q"] != nil { metadata["qk_matmul_output_mode"] = nil }
  }
}

// MARK: - Changes

extension CaseDraw {
  private mutating func change() {
    let name = one(of: tensors.keys.sorted())
    switch number(in: 0...8) {
    case 0:
      guard tensors.count > 1 else { return }
      tensors[name] = nil
      changes.append("no \(name)")
    case 1:
      let type = one(of: ElementType.allCases)
      tensors[name]?.type = type
      changes.append("\(name) of another type")
    case 2:
      let other = one(of: [
        "attn_mask", "sinks", "past_key", "block_table", "nonpad_kv_seqlen", "expected.Y", "k_scale",
      ])
      tensors[other] = tensors[name]
      changes.append("\(name) as \(other)")
    case 3, 4, 5: changeShape(of: name)
    case 6: changeIntegers()
    default: changeAttribute()
    }
  }

  /// Another length of an axis, or another number of axes. Beside an axis of length 0 another may be of any length.
  private mutating func changeShape(of name: String) {
    guard var shape = tensors[name]?.shape else { return }
    if happens(oneIn: 4) {
      if happens(oneIn: 2) || shape.isEmpty { shape.insert(1, at: 0) } else { shape.removeLast() }
    } else if !shape.isEmpty {
      let axis = number(in: 0...shape.count - 1)
      if happens(oneIn: 3), shape.count > 1 {
        shape[(axis + 1) % shape.count] = 0
        shape[axis] = one(of: [Int(Int32.max), 1 << 31, 1 << 40, 1 << 48])
        // A product beyond Int is no file at all.
        for other in shape.indices where other != axis && shape[other] > 8 { shape[other] = 1 }
      } else {
        shape[axis] = one(of: [0, 1, 2, 3, 5, 9])
      }
    }
    // A change of one that was changed before may have taken the 0 away.
    guard
      shape.contains(0) || shape.reduce(1, { $0.multipliedReportingOverflow(by: $1).partialValue }) < 5000,
      shape.allSatisfy({ $0 < 10 }) || shape.contains(0)
    else { return }
    tensors[name]?.shape = shape
    changes.append("\(name) \(shape)")
  }

  private mutating func changeIntegers() {
    let names = tensors.keys.sorted().filter { tensors[$0]?.integers.isEmpty == false }
    guard !names.isEmpty else { return }
    let name = one(of: names)
    let place = number(in: 0...(tensors[name]?.integers.count ?? 1) - 1)
    let value = one(of: [-1, 1, 7, 100, 1 << 31, 1 << 40, Int64.max, Int64.min])
    tensors[name]?.integers[place] = value
    changes.append("\(name)[\(place)] = \(value)")
  }

  private mutating func changeAttribute() {
    let name = one(
      of: metadata.keys.sorted() + [
        "is_causal", "scale", "softcap", "q_num_heads", "kv_num_heads", "left_window_size", "op",
        "local_window_size", "interleaved", "tokens", "reviewer", "qk_matmul_output_mode",
      ])
    let value = one(of: [
      "0", "1", "2", "-1", "3", "1e308", "3e38", "1e-300", "2147483647", "9223372036854775808", "nan", "inf",
      "", "0.5\0x", "Attention", "RotaryEmbedding", "[\"a\"]",
    ])
    metadata[name] = value
    changes.append("\(name) = \(value.debugDescription)")
  }
}

// MARK: - Files

extension CaseDraw {
  /// The case to be written.
  func contents() throws -> CaseContents {
    CaseContents(metadata, try tensors.mapValues { try tensor($0) })
  }

  private func tensor(_ drawn: Drawn) throws -> any WritableTensor {
    func made<Element: TensorElement>(_: Element.Type) throws -> any WritableTensor {
      let shape = Shape(drawn.shape)
      guard let count = shape.checkedElementCount, count > 0, count == drawn.integers.count else {
        return Tensor<Element>.zeros(shape)
      }
      return try Tensor(drawn.integers.map { Element(nearest: Double($0)) }, shape: shape)
    }
    switch drawn.type {
    case .float64: return try made(Double.self)
    case .float32: return try made(Float.self)
    case .float16: return try made(Float16.self)
    case .bfloat16: return try made(BFloat16.self)
    case .int64:
      let shape = Shape(drawn.shape)
      // Int64 beyond 2⁵³ as it is.
      return shape.checkedElementCount == drawn.integers.count
        ? try Tensor(drawn.integers, shape: shape) : try made(Int64.self)
    case .int32: return try made(Int32.self)
    case .int8: return try made(Int8.self)
    case .uint8: return try made(UInt8.self)
    case .bool: return try made(Bool.self)
    }
  }
}
