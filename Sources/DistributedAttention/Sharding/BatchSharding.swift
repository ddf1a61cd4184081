import Attention
import Tensors

/// Which rows of a batch of sequences each rank has: those of its pieces of the first sequence, then those of the second, and so on, one after
/// the other in a tensor `[rows, H, D]`.
///
///     let sharding = BatchSharding(lengths: [16_384], ranks: 4)
///     let mine = sharding.rows(of: tokens, rank: 1)
public struct BatchSharding: Hashable, Sendable {
  /// The sequences, in the order of the batch.
  public let sequences: [SequenceSharding]

  /// Sequences of these lengths, each over all ranks.
  ///
  /// - Precondition: lengths are 0 or more, `ranks >= 1`.
  public init(lengths: [Int], ranks: Int, _ order: SequenceSharding.Order = .zigzag) {
    sequences = lengths.map { SequenceSharding($0, ranks: ranks, order) }
  }

  /// The length of each sequence.
  public var lengths: [Int] { sequences.map(\.count) }

  /// A piece of a rank's rows.
  public struct Piece: Hashable, Sendable {
    /// The index in the batch.
    public let sequence: Int
    /// Counted in the sequence.
    public let positions: Range<Int>
    /// The rows of the rank's tensor that hold them.
    public let rows: Range<Int>

    /// What lies in these rows; nil where that is nothing.
    func clamped(to rows: Range<Int>) -> Piece? {
      let clamped = self.rows.clamped(to: rows)
      if clamped.isEmpty { return nil }
      let first = positions.lowerBound + clamped.lowerBound - self.rows.lowerBound
      return Piece(sequence: sequence, positions: first..<first + clamped.count, rows: clamped)
    }
  }

  /// What a rank has, in the order of its rows.
  public func pieces(of rank: Int) -> [Piece] {
    var pieces: [Piece] = []
    var row = 0
    for (sequence, sharding) in sequences.enumerated() {
      for positions in sharding.pieces(of: rank) {
        pieces.append(Piece(sequence: sequence, positions: positions, rows: row..<row + positions.count))
        row += positions.count
      }
    }
    return pieces
  }

  /// How many rows a rank has.
  public func rowCount(of rank: Int) -> Int { pieces(of: rank).last?.rows.upperBound ?? 0 }

  /// The position of each of a rank's rows in its sequence: what a rotary embedding turns them by.
  public func positions(of rank: Int) -> [Int] { pieces(of: rank).flatMap { Array($0.positions) } }

  /// The rows of a rank out of those of all sequences, `[total, …]`, one sequence after the other. One copy.
  ///
  /// - Throws: ``Attention/AttentionError`` where the tensor has not as many rows as the sequences have positions.
  public func rows<Element: TensorElement>(
    of tensor: Tensor<Element>, rank: Int
  ) throws(AttentionError) -> Tensor<Element> {
    let starts = starts
    guard let rows = tensor.shape.first, rows == starts.last else {
      throw AttentionError(
        "tensor", "shape \(tensor.shape) given, expected \(starts.last ?? 0) rows for lengths \(lengths)")
    }
    var parts: [Tensor<Element>] = []
    for piece in pieces(of: rank) {
      let start = starts[piece.sequence]
      parts.append(
        tensor.sliced(axis: 0, start + piece.positions.lowerBound..<start + piece.positions.upperBound))
    }
    if parts.isEmpty { return tensor.sliced(axis: 0, 0..<0) }
    return try Tensor.concatenate(parts, axis: 0)
  }

  /// The first row of each sequence among those of all, and how many there are.
  var starts: [Int] { sequences.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1.count) } }

  var ranks: Int? { sequences.first?.ranks }
}
