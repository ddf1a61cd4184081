import LinearAlgebra
import Parallelism
import Tensors

/// What a token is before the first layer: the sum of the embeddings of the token, of its place in the sequence and of its type.
///
/// Words' rows stay where the model's file has them and are converted one by one as they are read. Nothing is faster: a row is a few
/// lines of memory beside the tens of millions of operations that a token costs, and in the panels of a ``Linear``, its numbers would lie
/// a line each. And nothing takes less memory: the pages belong to the file, and only those that texts use are ever loaded.
struct EncoderEmbeddings: Sendable {
  let words: WeightRows
  /// `[positions, width]`. All tokens have type 0, whose embedding is in the sum already.
  let positions: Tensor<Float>

  /// Writes the tokens of sequences, one sequence after the other.
  ///
  /// - Precondition: every token has a row, every sequence no more tokens than there are positions.
  func write(_ tokens: [[Int]], to x: RowMatrix, on pool: WorkerPool) {
    let width = x.width
    var starts: [Int] = []
    var total = 0
    for sequence in tokens {
      starts.append(total)
      total += sequence.count
    }
    positions.withUnsafePointer { positions in
      forEachRow(tokens.count, work: 4 * width * max(total / max(tokens.count, 1), 1), on: pool) { sequence in
        for (place, token) in tokens[sequence].enumerated() {
          let row = x[starts[sequence] + place]
          words.read(token..<token + 1, row)
          add(positions + place * width, to: row, count: width)
        }
      }
    }
  }
}
