import Parallelism

/// Rotary position embedding: pairs of a query's or key's numbers turned by angles that grow with its position, so that their
/// dot products depend on how far apart they stand.
///
///     angle[p, i] = p · θ[i]              θ[i] = base^(−2i/R), changed by the scaling, for i < R/2
///     (x[a], x[b]) ↦ (x[a] · cos − x[b] · sin, x[b] · cos + x[a] · sin)       a, b: pair i of the layout
///
/// `R` is the rotary dimension, at most the head dimension `D`; columns `R ..< D` stay as they are. Angles, cosines and sines are
/// computed in Float64, once, and kept rounded to Float (also to Double once a Double tensor comes). Tables know nothing of heads:
/// queries and keys of different head counts share one embedding, and so do all layers of a model.
///
///     let rotary = try RotaryEmbedding(headDimension: 128, positions: 4096, base: 500_000)
///     try rotary.apply(to: &queries, positions: .from(cache.count))
///     try rotary.apply(to: &keys, positions: .from(cache.count))
///
/// A NaN or an infinity reaches nothing but its own pair. The same inputs give bitwise the same output on any number
/// of threads and with every instruction set: products and sums are rounded one by one, in Float for Float, Float16 and
/// BFloat16, in Double for Double, and the result is rounded once to the type of the tensor.
///
/// Copies share their tables: `2 · positions · R/2` Floats, 64 MiB for 131,072 positions of 128 dimensions.
///
/// Su et al. 2021, "RoFormer: Enhanced Transformer with Rotary Position Embedding"; ONNX `RotaryEmbedding`, opset 23.
public struct RotaryEmbedding: Sendable {
  /// Which numbers of a row are a pair.
  public enum Layout: Sendable, Hashable, CaseIterable {
    /// `(x[i], x[i + R/2])`: GPT-NeoX, Llama in Hugging Face's order, ONNX with `interleaved` 0.
    case halves
    /// `(x[2i], x[2i + 1])`: RoFormer, GPT-J, Llama in its original order, ONNX with `interleaved` 1.
    case interleaved
  }

  /// Which columns of a row are turned, and which of these are a pair.
  public struct Pairs: Sendable, Hashable {
    /// Which numbers of a row are a pair.
    public var layout: Layout

    /// `R`: how many of a row's first columns are turned, even, 2 … `D`; the whole row when nil.
    public var rotaryDimension: Int?

    /// Pairs in this layout, of the whole row where nothing else is said.
    public init(_ layout: Layout = .halves, rotaryDimension: Int? = nil) {
      self.layout = layout
      self.rotaryDimension = rotaryDimension
    }

    /// The whole row, its halves side by side: `(x[i], x[i + R/2])`.
    public static let halves = Pairs(.halves)

    /// The whole row, neighbour by neighbour: `(x[2i], x[2i + 1])`.
    public static let interleaved = Pairs(.interleaved)
  }

  /// Which numbers of a row are a pair.
  public let layout: Layout

  /// The width of the rows that it turns, where that was given: rows of another width are refused.
  public let headDimension: Int?

  /// How many of a row's first columns are turned; even.
  public let rotaryDimension: Int

  let tables: RotaryTables

  /// `[B, T]` where the tables have a row for each token of such tensors, and nil where they have one for each position.
  let tokenShape: Shape?

  /// How many positions the tables have: 0 ..< `positionCount`.
  public var positionCount: Int { tables.rows }

  /// The cosines as used for all types but Double: `[positionCount, R/2]`; no copy.
  public var cosines: Tensor<Float> { tables.single.cosines }

  /// The sines as used for all types but Double: `[positionCount, R/2]`; no copy.
  public var sines: Tensor<Float> { tables.single.sines }

  /// An embedding for positions 0 ..< `positions`.
  ///
  /// - Parameters:
  ///   - headDimension: `D`, the width of a row: 1 … 2²¹, as attention takes them.
  ///   - positions: how many; at least 1. Their angles, `positions · R/2`, may be 2³¹ at most.
  ///   - base: `rope_theta`; finite and at least 1.
  ///   - pairs: which columns are turned, and which of these are a pair: `.interleaved`, or the first 64 of a row by
  ///     `RotaryEmbedding.Pairs(rotaryDimension: 64)`.
  ///   - scaling: how it is stretched beyond the trained length.
  ///   - pool: the threads that fill the tables.
  /// - Throws: ``AttentionError`` where an argument is out of these ranges, an angle is not finite, or there is no memory
  ///   for the tables.
  ///
  /// Costs a cosine and a sine an angle, about 20 ns on one thread: 0.2 s for 131,072 positions of 128 dimensions.
  public init(
    headDimension: Int, positions: Int, base: Double = 10_000, pairs: Pairs = .halves,
    scaling: RotaryScaling = .none, on pool: WorkerPool = .shared
  ) throws(AttentionError) {
    try RotaryTables.check(headDimension: headDimension)
    let turned = pairs.rotaryDimension ?? headDimension
    guard turned >= 2, turned.isMultiple(of: 2), turned <= headDimension else {
      throw AttentionError(
        "rotaryDimension",
        "\(turned) given, expected an even number from 2 to the head dimension \(headDimension)")
    }
    guard positions >= 1 else { throw AttentionError("positions", "\(positions) given, expected at least 1") }
    guard positions <= RotaryTables.mostAngles / (turned / 2) else {
      throw AttentionError(
        "positions",
        "\(positions) given, expected at most \(RotaryTables.mostAngles) / \(turned / 2) for rotary dimension \(turned)"
      )
    }
    guard base.isFinite, base >= 1 else {
      throw AttentionError("base", "\(base) given, expected a finite number of at least 1")
    }
    let spectrum = try scaling.spectrum(rotaryDimension: turned, base: base)
    for frequency in spectrum.frequencies where !(Double(positions - 1) * frequency).isFinite {
      throw AttentionError(
        "scaling", "\(scaling) given, expected angles of position \(positions - 1) to be finite")
    }
    self.layout = pairs.layout
    self.headDimension = headDimension
    self.rotaryDimension = turned
    self.tokenShape = nil
    self.tables = try RotaryTables(spectrum, rows: positions, on: pool)
  }

  /// An embedding by given tables, as ONNX `RotaryEmbedding` has them in `cos_cache` and `sin_cache`.
  ///
  /// - Parameters:
  ///   - cosines: `[positions, R/2]` with `R` up to 2²¹, row `p` for position `p`; or `[B, T, R/2]`, a row for each token of tensors with just these
  ///     axes, which ask for ``RotaryPositions/rowPerToken``.
  ///   - sines: the same shape.
  ///   - headDimension: the width of the rows that it turns, `R` … 2²¹; any when nil.
  ///   - layout: which numbers of a row are a pair.
  /// - Throws: ``AttentionError`` where the shapes are others, the columns none or too many, or `R` is above the head dimension.
  ///
  /// Float tables (and Double ones, for Double tensors) whose columns are neighbours are used where they are; others are
  /// converted or copied once.
  public init<Element: AttentionElement>(
    cosines: Tensor<Element>, sines: Tensor<Element>, headDimension: Int? = nil, layout: Layout = .halves
  ) throws(AttentionError) {
    let shape = cosines.shape
    guard shape.count == 2 || shape.count == 3, let pairs = shape.last, pairs >= 1 else {
      throw AttentionError("cosines", "shape \(shape) given, expected [positions, R/2] or [B, T, R/2]")
    }
    guard sines.shape == shape else {
      throw AttentionError("sines", "shape \(sines.shape) given, expected that of the cosines, \(shape)")
    }
    guard pairs <= RotaryTables.widestRow / 2 else {
      throw AttentionError(
        "cosines", "shape \(shape) given, expected at most \(RotaryTables.widestRow / 2) pairs of columns")
    }
    // The rows are at most all elements, which fit an Int: but they need a bound of their own.
    guard let rows = Shape(shape.dropLast()).checkedElementCount,
      rows <= RotaryTables.mostAngles / pairs
    else {
      throw AttentionError(
        "cosines", "shape \(shape) given, expected at most \(RotaryTables.mostAngles) angles")
    }
    if let headDimension { try RotaryTables.check(headDimension: headDimension) }
    if let headDimension, 2 * pairs > headDimension {
      throw AttentionError(
        "cosines",
        "shape \(shape) turns \(2 * pairs) columns, expected at most the head dimension \(headDimension)")
    }
    self.layout = layout
    self.headDimension = headDimension
    self.rotaryDimension = 2 * pairs
    self.tokenShape = shape.count == 3 ? [shape[0], shape[1]] : nil
    self.tables = try RotaryTables(cosines: cosines, sines: sines, rows: rows, pairs: pairs)
  }
}
