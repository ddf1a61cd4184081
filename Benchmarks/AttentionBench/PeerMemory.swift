import BenchmarkKit

extension PeerName {
  /// What its process takes for a problem at most, and what we take for its output.
  ///
  /// It has the inputs as they came and in the type that it computes in, some in other layouts as well; its output becomes Float64 here.
  func bytes(for shape: BenchmarkShape, elementBytes: Int) -> Double {
    let sizes = shape.sizes
    let outputs = Double(sizes.batch * sizes.queryHeads * sizes.queries * sizes.valueDim)
    return shape.tensorBytes(elementBytes: elementBytes)
      + layouts(shape) * shape.tensorBytes(elementBytes: max(elementBytes, MemoryLayout<Float>.size))
      + 8 * outputs + bytesForEachPair(shape) * Double(sizes.queries) * Double(sizes.keys)
  }

  /// How many layouts of the inputs it has at a time.
  private func layouts(_ shape: BenchmarkShape) -> Double {
    switch self {
    case .pytorch, .onnxruntime, .openvino, .numpy, .flex: 2
    // Keys and values once more for each head that shares them.
    case .zentorch: 2 + Double(shape.sizes.queryHeads / shape.sizes.keyValueHeads)
    // Up to six caches, those of tokens, and what they were filled from.
    case .vllm: 10
    }
  }

  /// For each query and key of the tensors, all heads and sequences together: masks as `Peers/problem.py` makes them, copies that it makes
  /// on the way among them, and scores.
  private func bytesForEachPair(_ shape: BenchmarkShape) -> Double {
    let heads = Double(shape.sizes.queryHeads)
    // A Boolean mask, Float32 biases from it, and both once more while their type is changed; distances between positions, their
    // products with slopes in Float64 and in Float32.
    let biases = shape.scores.hasALiBi ? 13 + 12 * heads : 13
    switch self {
    case .numpy:
      return shape.hasMask ? biases : 0
    case .vllm:
      return 0
    case .flex:
      // A Boolean mask, from positions of 64 bits, their sums and comparisons.
      return shape.mask.kind == .none ? 0 : 40
    case .pytorch, .openvino, .zentorch:
      return shape.hasMask && !shape.isPlainlyCausal ? biases : 0
    case .onnxruntime:
      // Its operators for attention keep all scores, and a second copy while they work on them; each query has its mask.
      let scores = 2 * Double(MemoryLayout<Float>.size) * Double(shape.sizes.batch) * heads
      let masks = shape.mask.kind == .none ? 0 : 3 * Double(shape.sizes.batch)
      return scores + masks + (shape.scores.hasALiBi ? biases : 0)
    }
  }
}

extension BenchmarkShape {
  /// Whether what happens to scores depends on the query, and somebody has to spell it out.
  fileprivate var hasMask: Bool {
    scores.hasALiBi || (mask.kind == .causal && (sizes.queries > 1 || mask.leftWindowSize != nil))
  }

  /// Causal in a way that a flag can say.
  fileprivate var isPlainlyCausal: Bool {
    mask.kind == .causal && sizes.queries == sizes.keys && mask.leftWindowSize == nil && !scores.hasALiBi
  }
}
