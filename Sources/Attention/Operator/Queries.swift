/// The queries of a call, and which of their rows belong to which sequence.
///
///     attend(q, keyValues)                                  // q [B, Hq, Tq, D]: every row is a query
///     attend(.padded(q, lengths: [7, 20]), keyValues)       // q [B, Hq, Tq, D]: the rows past a length are padding
///     attend(.packed(q, lengths: [7, 20]), keyValues)       // q [total, Hq, D]: one sequence after the other, no padding
///
/// A value of a tensor and its lengths; it copies nothing.
public struct Queries<Element: AttentionElement>: Sendable {
  /// Without the element type, as attention takes them: a call asks for no type when it runs.
  let rows: QueryRows

  /// `[B, Hq, Tq, D]`, every row a query.
  public init(_ tensor: Tensor<Element>) {
    self.init(tensor, .batch)
  }

  init(_ tensor: Tensor<Element>, _ arrangement: QueryArrangement) {
    rows = QueryRows(tensor: AnyTensor(tensor), arrangement: arrangement)
  }
}

/// Which rows of a tensor of queries belong to which sequence.
enum QueryArrangement: Sendable {
  /// `[B, Hq, Tq, D]`, every row a query.
  case batch
  /// `[B, Hq, Tq, D]` with so many queries for each sequence.
  case padded(lengths: [Int])
  /// `[total, Hq, D]` with so many rows for each sequence, one sequence after the other.
  case packed(lengths: [Int])
}

/// Queries whose element type is known when they run.
struct QueryRows: Sendable {
  let tensor: AnyTensor
  let arrangement: QueryArrangement
}

/// What attention takes as queries: a tensor `[B, Hq, Tq, D]`, or ``Queries``.
public protocol AttentionQueries<Element>: Sendable {
  /// The element type of queries and output.
  associatedtype Element: AttentionElement

  /// The tensor and which of its rows belong to which sequence.
  var queries: Queries<Element> { get }
}

extension Queries: AttentionQueries {
  /// Itself.
  public var queries: Queries { self }
}

extension Tensor: AttentionQueries where Element: AttentionElement {
  /// All rows of `[B, Hq, Tq, D]`.
  public var queries: Queries<Element> { Queries(self) }
}

extension AttentionQueries {
  /// A batch in which sequences have different numbers of queries.
  ///
  /// Nothing is computed for the rows past a sequence's length: their output is 0 and their log-sum-exp −∞.
  /// - Parameters:
  ///   - tensor: `[B, Hq, Tq, D]`.
  ///   - lengths: one a sequence, each in `0...Tq`; attention throws otherwise.
  public static func padded<Element>(_ tensor: Tensor<Element>, lengths: [Int]) -> Self
  where Self == Queries<Element> {
    Queries(tensor, .padded(lengths: lengths))
  }

  /// Sequences of different lengths one after the other, without padding: what a server computes in one step.
  ///
  /// Sequences never see each other, and none costs more than alone. The output is `[total, Hq, Dv]`, the log-sum-exp `[Hq, total]`;
  /// rows past the last sequence are padding, with output 0 and log-sum-exp −∞.
  /// - Parameters:
  ///   - tensor: `[total, Hq, D]`.
  ///   - lengths: one a sequence, 0 or more, that add up to at most `total`; attention throws otherwise.
  public static func packed<Element>(_ tensor: Tensor<Element>, lengths: [Int]) -> Self
  where Self == Queries<Element> {
    Queries(tensor, .packed(lengths: lengths))
  }
}
