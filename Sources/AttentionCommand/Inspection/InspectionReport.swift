import Attention
import AttentionInspection

/// What `attention inspect` found: of one sequence, for some heads, for some queries.
struct InspectionReport {
  /// What the case is called.
  let name: String
  let sequence: Int
  let queryLabels: TokenLabels
  let keyLabels: TokenLabels
  let queryHeadCount: Int
  let keyValueHeadCount: Int
  let valueWidth: Int
  /// Whether numbers were computed in Float32 and have its digits.
  let isSingle: Bool
  var heads: [Head] = []

  /// A report of no head yet.
  init<Element>(of inspection: CaseInspection<Element>) {
    let inspector = inspection.inspector
    name = inspection.name
    sequence = inspection.selection.sequence
    queryLabels = inspection.labels.queries
    keyLabels = inspection.labels.keys
    queryHeadCount = inspector.headCount
    keyValueHeadCount = inspector.keyValueHeadCount
    valueWidth = inspector.valueWidth
    isSingle = Element.Accumulator.elementType == .float32
  }

  /// One query head.
  struct Head {
    let summary: HeadSummary
    let keyValueHead: Int
    var queries: [Query] = []
  }

  /// One query of a head.
  struct Query {
    let query: Int
    /// The keys with the largest weights, in descending order.
    let top: [KeyShare]
    /// The whole row; nil unless it was asked for.
    let row: (weights: [Double], norms: [Double])?
  }

  /// What one key gives to one query.
  struct KeyShare {
    let key: Int
    let weight: Double
    /// `p[i,j] · ‖v[j]‖`
    let norm: Double
  }
}

/// The positions of the largest numbers, in descending order, equal ones in order of position; NaN counts as none, and
/// neither do zeros.
///
/// - Complexity: O(n log n) for `n` numbers that are not 0.
func largest(_ count: Int, of numbers: some RandomAccessCollection<Double>) -> [Int] {
  let candidates = numbers.enumerated().filter { $0.element > 0 }
  let sorted = candidates.sorted { ($1.element, $0.offset) < ($0.element, $1.offset) }
  return sorted.prefix(count).map(\.offset)
}

extension InspectionReport.Query {
  /// The `count` largest weights of a row, and all of it where it is to be kept.
  init(_ query: Int, weights: UnsafeBufferPointer<Double>, norms: [Double], top count: Int, keepsRow: Bool) {
    // A weight of 0 carries nothing, even of a value that is not finite.
    func norm(_ key: Int) -> Double { weights[key] == 0 ? 0 : weights[key] * norms[key] }
    self.query = query
    top = largest(count, of: weights).map {
      InspectionReport.KeyShare(key: $0, weight: weights[$0], norm: norm($0))
    }
    row = keepsRow ? (Array(weights), (0..<weights.count).map(norm)) : nil
  }
}
