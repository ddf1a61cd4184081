import Attention
import LinearAlgebra
import Parallelism

/// Two rows of a tensor of vectors and how alike they are.
public struct SimilarPair: Sendable, Equatable {
  /// The row that comes first.
  public let first: Int
  /// The row that comes second.
  public let second: Int
  /// The cosine of the angle between their vectors.
  public let cosine: Float

  /// Whether this pair comes before another: by cosine, then by rows.
  fileprivate func precedes(_ other: SimilarPair) -> Bool {
    cosine != other.cosine ? cosine > other.cosine : (first, second) < (other.first, other.second)
  }
}

/// The pairs of vectors that are most alike, most alike first.
///
/// Every pair is looked at: n·(n − 1)/2 products, in blocks of rows whose products take 1 KiB a vector.
/// - Parameters:
///   - vectors: `[n, width]`, of any lengths; the cosine with a vector of zeros is 0, and pairs whose cosine is NaN are left out.
///   - count: how many pairs at most.
/// - Throws: ``ModelError`` where the tensor has not two axes, the count is negative, or there is no memory.
public func closestPairs(of vectors: Tensor<Float>, count: Int) throws(ModelError) -> [SimilarPair] {
  guard vectors.rank == 2 else {
    throw ModelError("vectors", "shape \(vectors.shape) given, expected [vectors, width]")
  }
  guard count >= 0 else { throw ModelError("count", "\(count) given, expected at least 0") }
  let (rows, width) = (vectors.shape[0], vectors.shape[1])
  var best = BestPairs(count: min(count, rows * max(rows - 1, 0) / 2))
  do {
    let unit = try RowMatrix(rows: rows, width: width)
    vectors.contiguous().withUnsafePointer { vectors in
      for row in 0..<rows {
        unit[row].update(from: vectors + row * width, count: width)
        normalise(unit[row], count: width)
      }
    }
    let rowsOfBlock = 256
    for start in stride(from: 0, to: rows, by: rowsOfBlock) {
      let block = start..<min(start + rowsOfBlock, rows)
      let products = try matmul(
        unit.tensor.sliced(axis: 0, block), unit.tensor.sliced(axis: 0, start..<rows).transposed())
      products.withUnsafePointer { products in
        for first in block {
          let row = products + (first - start) * (rows - start)
          for second in first + 1..<max(rows, first + 1) where row[second - start] >= best.least {
            best.add(SimilarPair(first: first, second: second, cosine: row[second - start]))
          }
        }
      }
    }
  } catch {
    throw ModelError("vectors", error.description)
  }
  return best.sorted
}

/// The best of many pairs, twice as many as asked for at most.
private struct BestPairs {
  let count: Int
  private var pairs: [SimilarPair] = []
  /// Pairs below this cosine cannot be among the best.
  private(set) var least = -Float.infinity

  init(count: Int) {
    self.count = count
    if count == 0 { least = .infinity }
  }

  var sorted: [SimilarPair] { Array(pairs.sorted { $0.precedes($1) }.prefix(count)) }

  mutating func add(_ pair: SimilarPair) {
    pairs.append(pair)
    if pairs.count >= 2 * count {
      pairs = sorted
      least = pairs[pairs.count - 1].cosine
    }
  }
}
