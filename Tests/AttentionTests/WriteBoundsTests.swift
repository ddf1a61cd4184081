import Attention
import TestSupport
import Testing

/// What is written goes through the view and nowhere else, whatever lies beside it.
@Suite struct WriteBoundsTests {
  private static let sizes = SourceEqualityTests.sizes

  /// Memory with a margin around every axis, or with a gap after every element.
  private enum Frame: CaseIterable {
    case margins
    case gaps

    /// The shape of the memory around a view.
    func shape(of view: Shape) -> Shape {
      var shape = view
      for axis in shape.indices {
        switch self {
        case .margins: shape[axis] += 3
        case .gaps: shape[axis] = axis == view.count - 1 ? 2 * view[axis] : view[axis]
        }
      }
      return shape
    }

    /// The part of the memory that is the view.
    func view<E: TensorElement>(_ memory: MutableTensorView<E>, _ shape: Shape) -> MutableTensorView<E> {
      switch self {
      case .margins:
        return shape.indices.reduce(memory) { $0.sliced(axis: $1, 1..<1 + shape[$1]) }
      case .gaps:
        var strides = memory.strides
        strides[shape.count - 1] = 2
        return MutableTensorView(base: memory.base, shape: shape, strides: strides)
      }
    }

    func contents<E: TensorElement>(_ memory: Tensor<E>, _ shape: Shape) -> Tensor<E> {
      switch self {
      case .margins: shape.indices.reduce(memory) { $0.sliced(axis: $1, 1..<1 + shape[$1]) }
      case .gaps: memory.sliced(axis: shape.count - 1, 0..<memory.shape.fromEnd(1), by: 2)
      }
    }
  }

  /// Memory full of one number; what is in the view may change, and nothing else.
  private struct Memory<E: FloatingPointElement> {
    let frame: Frame
    let shape: Shape
    var tensor: Tensor<E>

    init(_ frame: Frame, _ shape: Shape) {
      self.frame = frame
      self.shape = shape
      tensor = Tensor(repeating: E(nearest: 77), shape: frame.shape(of: shape))
    }

    mutating func write(_ body: (MutableTensorView<E>) throws -> Void) throws {
      try tensor.withMutableView { try body(frame.view($0, shape)) }
    }

    var contents: Tensor<E> { frame.contents(tensor, shape) }

    /// How many numbers outside of the view are not as they were.
    func changesBeside() -> Int {
      var restored = tensor
      restored.withMutableView { memory in
        let view = frame.view(memory, shape)
        let untouched = Tensor(repeating: E(nearest: 77), shape: shape)
        #expect(throws: Never.self) { try view.assign(from: untouched) }
      }
      return restored.elements.filter { $0.doubleValue != 77 }.count
    }
  }

  @Test(arguments: QueryKind.allCases, sizes) func writesInsideTheView(
    kind: QueryKind, sizes: SourceEqualityTests.Sizes
  ) throws {
    try check(kind, sizes, Float.self)
    try check(kind, sizes, BFloat16.self)
    try check(kind, sizes, Float16.self)
    try check(kind, sizes, Double.self)
  }

  private func check<E: AttentionElement>(
    _ kind: QueryKind, _ sizes: SourceEqualityTests.Sizes, _: E.Type
  ) throws {
    let (batch, most) = (sizes.keys.count, sizes.keys.max() ?? 0)
    let q: Tensor<E> = .normal([batch, 4, sizes.queries.max() ?? 0, 24], seed: 1)
    let k: Tensor<E> = .normal([batch, 2, most, 24], seed: 2)
    let v: Tensor<E> = .normal([batch, 2, most, 19], seed: 3)
    let queries = try kind.queries(q, lengths: kind.lengths(sizes.queries, of: q))
    let keyValues = try SourceKind.pages(16).keyValues(k, v, lengths: sizes.keys)
    for pool in [Pools.one, Pools.three] {
      let attend = ScaledDotProductAttention(mask: .causal, on: pool)
      let expected = try attend.withLogSumExp(queries, keyValues)
      for frame in Frame.allCases {
        let context = "\(kind), \(sizes), \(E.self), \(frame), \(pool.threadCount) threads"
        var output = Memory<E>(frame, expected.output.shape)
        var sums = Memory<E.Accumulator>(frame, expected.logSumExp.shape)
        try output.write { output in
          try sums.write { try attend.write(queries, keyValues, to: output, logSumExp: $0) }
        }
        let isEqual =
          haveSameBits(output.contents, expected.output) && haveSameBits(sums.contents, expected.logSumExp)
        #expect(isEqual, "\(context)")
        #expect(output.changesBeside() == 0 && sums.changesBeside() == 0, "\(context)")
      }
    }
    for variant in ForcedVariant.all {
      for frame in Frame.allCases {
        let context = "\(kind), \(sizes), \(E.self), \(frame), \(variant)"
        var output = Memory<E>(frame, try outputShape(queries, keyValues))
        let duty = KernelDuty(kernel: variant.kernel, isDouble: E.elementType == .float64)
        guard duty.isDue else { continue }
        let attend = ScaledDotProductAttention(mask: .causal, on: Pools.two)
        try output.write { try attend.write(queries, keyValues, forcing: variant, to: $0) }
        let expected = try attend.withLogSumExp(queries, keyValues, forcing: variant).output
        #expect(haveSameBits(output.contents, expected), "\(context)")
        #expect(output.changesBeside() == 0, "\(context)")
      }
    }
  }

  private func outputShape<E: AttentionElement>(_ queries: Queries<E>, _ keyValues: KeyValues) throws -> Shape
  {
    try ScaledDotProductAttention(on: Pools.one)(queries, keyValues).shape
  }
}
