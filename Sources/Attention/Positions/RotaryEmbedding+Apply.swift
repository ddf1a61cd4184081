import CAttentionKernels
import Parallelism

extension RotaryEmbedding {
  /// Turns a tensor in place.
  ///
  /// - Parameters:
  ///   - tensor: `[B, H, T, D]` in any strides, which it keeps where its storage is not shared; shared storage is copied first,
  ///     so that ``applied(to:positions:on:)`` is the faster choice there.
  ///   - positions: the position of each token.
  ///   - pool: the threads that work on it; few rows stay on the calling thread.
  /// - Throws: ``AttentionError`` where the tensor has not four axes, its rows have not the head dimension or are narrower
  ///   than the rotary dimension, or positions do not fit it or lie outside the tables; `tensor` is unchanged then.
  ///
  /// Reads and writes each row once, without an allocation but a few bytes of the pool. Fastest where a row's columns are
  /// neighbours.
  public func apply<Element: AttentionElement>(
    to tensor: inout Tensor<Element>, positions: RotaryPositions = .from(0), on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    let layout = RotaryOperand(tensor)
    // Broadcast elements need a place each: make them as they are turned.
    if layout.mayOverlap { return tensor = try applied(to: tensor, positions: positions, on: pool) }
    try check(layout)
    let rows = try rows(of: layout, positions)
    let table = try table(for: Element.self, on: pool)
    tensor.withMutableView { view in
      let operand = RotaryOperand(view)
      RotaryRotation(self, table, rows, from: operand, to: operand).run(on: pool, Self.kernels)
    }
  }

  /// Turns memory of the caller in place: a slice of a fused projection, for instance.
  ///
  ///     try projection.withMutableView { view in                                           // [B, T, 3 · H · D]
  ///       try rotary.apply(to: view.sliced(axis: 2, 0..<2 * H * D).splitHeads(2 * H))      // queries and keys
  ///     }
  ///
  /// - Parameters:
  ///   - view: `[B, H, T, D]` in any strides that give each element a place of its own.
  ///   - positions: the position of each token.
  ///   - pool: the threads that work on it.
  /// - Throws: ``AttentionError`` as for a tensor, and where elements overlap; nothing is written then.
  public func apply<Element: AttentionElement>(
    to view: MutableTensorView<Element>, positions: RotaryPositions = .from(0), on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    try apply(to: view, positions: positions, on: pool, Self.kernels)
  }

  /// A turned copy: each row is read once and written once.
  ///
  /// - Parameters:
  ///   - tensor: `[B, H, T, D]` in any strides.
  ///   - positions: the position of each token.
  ///   - pool: the threads that work on it.
  /// - Returns: `[B, H, T, D]`, row-major; one allocation.
  /// - Throws: ``AttentionError`` as in place, and where there is no memory for the result.
  ///
  /// The system hands out fresh memory page by page as it is first written, which costs several times what the turn does where the
  /// result is large: ``apply(to:positions:on:into:)`` writes to memory that is there already.
  public func applied<Element: AttentionElement>(
    to tensor: Tensor<Element>, positions: RotaryPositions = .from(0), on pool: WorkerPool = .shared
  ) throws(AttentionError) -> Tensor<Element> {
    try check(RotaryOperand(tensor))
    var result: Tensor<Element> = try allocated(tensor.shape, for: "tensor", tensor.shape)
    try result.withMutableView { (view) throws(AttentionError) in
      try apply(to: tensor, positions: positions, on: pool, into: view)
    }
    return result
  }

  /// Turns rows on their way to other memory: keys from a projection into a cache, for instance.
  ///
  /// - Parameters:
  ///   - tensor: `[B, H, T, D]` in any strides.
  ///   - positions: the position of each token.
  ///   - pool: the threads that work on it.
  ///   - target: the same shape, in any strides that give each element a place of its own, none of them in `tensor`.
  /// - Throws: ``AttentionError`` as in place, and where the target's shape differs or its elements overlap;
  ///   nothing is written then.
  public func apply<Element: AttentionElement>(
    to tensor: Tensor<Element>, positions: RotaryPositions = .from(0), on pool: WorkerPool = .shared,
    into target: MutableTensorView<Element>
  ) throws(AttentionError) {
    try apply(to: tensor, positions: positions, on: pool, into: target, Self.kernels)
  }
}

// MARK: - One instruction set

extension RotaryEmbedding {
  /// ``apply(to:positions:on:)`` by the kernels of one instruction set, for tests.
  ///
  /// - Precondition: the CPU supports the set.
  package func apply<Element: AttentionElement>(
    to view: MutableTensorView<Element>, positions: RotaryPositions, on pool: WorkerPool, set: String
  ) throws(AttentionError) {
    try apply(to: view, positions: positions, on: pool, Self.kernels(named: set))
  }

  /// ``apply(to:positions:on:into:)`` by the kernels of one instruction set, for tests.
  ///
  /// - Precondition: the CPU supports the set.
  package func apply<Element: AttentionElement>(
    to tensor: Tensor<Element>, positions: RotaryPositions, on pool: WorkerPool,
    into target: MutableTensorView<Element>, set: String
  ) throws(AttentionError) {
    try apply(to: tensor, positions: positions, on: pool, into: target, Self.kernels(named: set))
  }

  private static var kernels: KernelTable { CAttentionKernels_active() }

  private static func kernels(named set: String) -> KernelTable {
    guard let kernels = CAttentionKernels_named(set) else {
      preconditionFailure("no instruction set \(set) here")
    }
    return kernels
  }

  private func apply<Element: AttentionElement>(
    to view: MutableTensorView<Element>, positions: RotaryPositions, on pool: WorkerPool,
    _ kernels: KernelTable
  ) throws(AttentionError) {
    let operand = RotaryOperand(view)
    try check(operand)
    try operand.checkDistinct(named: "view")
    let rows = try rows(of: operand, positions)
    let table = try table(for: Element.self, on: pool)
    RotaryRotation(self, table, rows, from: operand, to: operand).run(on: pool, kernels)
  }

  private func apply<Element: AttentionElement>(
    to tensor: Tensor<Element>, positions: RotaryPositions, on pool: WorkerPool,
    into target: MutableTensorView<Element>, _ kernels: KernelTable
  ) throws(AttentionError) {
    let (source, destination) = (RotaryOperand(tensor), RotaryOperand(target))
    try check(source)
    guard target.shape == tensor.shape else {
      throw AttentionError("target", "shape \(target.shape) given, expected the tensor's \(tensor.shape)")
    }
    try destination.checkDistinct(named: "target")
    let rows = try rows(of: source, positions)
    let table = try table(for: Element.self, on: pool)
    RotaryRotation(self, table, rows, from: source, to: destination).run(on: pool, kernels)
    withExtendedLifetime(tensor) {}
  }
}

// MARK: - Checks

extension RotaryEmbedding {
  private func check(_ operand: RotaryOperand) throws(AttentionError) {
    let shape = operand.shape
    guard shape.count == 4, shape.checkedElementCount != nil else {
      throw AttentionError("tensor", "shape \(shape) given, expected [B, H, T, D]")
    }
    if let headDimension, shape[3] != headDimension {
      throw AttentionError("tensor", "shape \(shape) given, expected the head dimension \(headDimension)")
    }
    guard shape[3] >= rotaryDimension else {
      throw AttentionError(
        "tensor", "shape \(shape) given, expected rows of at least \(rotaryDimension) columns")
    }
  }

  private func rows(
    of operand: RotaryOperand, _ positions: RotaryPositions
  ) throws(AttentionError) -> RotaryRows {
    try RotaryRows(positions, of: self, sequences: operand.shape[0], tokens: operand.shape[2])
  }

  private func table<Element: AttentionElement>(
    for type: Element.Type, on pool: WorkerPool
  ) throws(AttentionError) -> RotaryTableOperand {
    Element.elementType == .float64
      ? RotaryTableOperand(try tables.doubles(on: pool)) : RotaryTableOperand(tables.single)
  }
}
