import Attention
import DistributedAttention

/// A call that ranks compute together, and that each holds against the same call computed alone.
public struct ShardedCase: Sendable, CustomStringConvertible {
  /// What is called, in words.
  public let description: String
  /// Whether the call can be split over so many ranks.
  public let canSplit: @Sendable (_ ranks: Int) -> Bool
  private let body: @Sendable (_ communicator: AnyCommunicator) throws -> String?

  init(
    _ description: String, canSplit: @escaping @Sendable (Int) -> Bool = { _ in true },
    _ body: @escaping @Sendable (AnyCommunicator) throws -> String?
  ) {
    (self.description, self.canSplit, self.body) = (description, canSplit, body)
  }

  /// What is wrong with this rank's result; nil where nothing is.
  public func failure(over communicator: some Communicator) throws -> String? {
    try body(AnyCommunicator(communicator))
  }
}

/// A communicator whose type cases need not know.
struct AnyCommunicator: Communicator {
  private let base: any Communicator
  init(_ base: some Communicator) { self.base = base }
  var rank: Int { base.rank }
  var size: Int { base.size }
  func beginSend(
    _ bytes: UnsafeRawBufferPointer, to rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer { try base.beginSend(bytes, to: rank, keeping: owner) }
  func beginReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer { try base.beginReceive(bytes, from: rank, keeping: owner) }
  func allGather(
    _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, keeping owner: any Sendable
  ) throws(DistributedError) { try base.allGather(bytes, into: all, keeping: owner) }
}

/// Queries, keys and values of sequences that follow each other, the same on every rank.
struct PackedCall<Element: AttentionElement, Stored: AttentionElement>: Sendable {
  let queries: Tensor<Element>
  let keys: Tensor<Stored>
  let values: Tensor<Stored>
  let lengths: [Int]
  let keyLengths: [Int]
  let attend: ScaledDotProductAttention

  init(_ sizes: CallSizes, _ attend: ScaledDotProductAttention, seed: UInt64 = 1) {
    let (rows, keyRows) = (sizes.lengths.reduce(0, +), sizes.keyLengths.reduce(0, +))
    queries = .normal([rows, sizes.heads, sizes.depth], seed: seed)
    keys = .normal([keyRows, sizes.keyHeads, sizes.depth], seed: seed + 1)
    values = .normal([keyRows, sizes.keyHeads, sizes.width], seed: seed + 2)
    (lengths, keyLengths) = (sizes.lengths, sizes.keyLengths)
    self.attend = attend
  }

  /// All of it on this rank.
  func alone() throws -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    try alone(keys, values)
  }

  func alone(
    _ keys: some KeyValueTensor, _ values: some KeyValueTensor
  ) throws -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
    try attend.withLogSumExp(
      .packed(queries, lengths: lengths), KeyValues(packedKeys: keys, values: values, lengths: keyLengths))
  }
}

/// Heads, widths and lengths of a call.
public struct CallSizes: Sendable {
  var heads = 4
  var keyHeads = 2
  var depth = 16
  var width = 16
  var lengths: [Int]
  var keyLengths: [Int]

  init(_ lengths: [Int], keys: [Int]? = nil) { (self.lengths, keyLengths) = (lengths, keys ?? lengths) }
}

/// How far results that were merged from parts may lie from those of one rank.
///
/// Both keep the contract's bound against the exact answer, so twice the bound lies between them. In half precision parts are rounded before they
/// are merged, and so is the whole: two steps of the type, at outputs that stay below 4.
func tolerance<Element: AttentionElement>(_ type: Element.Type) -> Double {
  switch Element.elementType {
  case .float64: 1e-14
  case .float32: 4e-6
  case .float16: 0x1p-8
  case .bfloat16: 0x1p-5
  case .int64, .int32, .int8, .uint8, .bool: 0
  }
}

/// The same over Int8: kernels may round queries and weights to 15 bits, and which kernel it is depends on how many rows there are. Twice the
/// contract's 2⁻¹⁴ of the largest value, which stays below 4.
let quantizedTolerance = 0x1p-11

/// How far log-sum-exps may lie from each other where outputs may by `tolerance`. They are of the order of 10, so their last bits are coarser, and
/// never in half precision.
func sumTolerance<Element: AttentionElement>(_: Element.Type, _ tolerance: Double) -> Double {
  if tolerance == 0 || tolerance == quantizedTolerance { return tolerance }
  return Element.elementType == .float64 ? 1e-13 : 1e-5
}

/// The same where parts keep the sum of weights as they multiply values, rounded to bfloat16 where queries are.
func partSumTolerance<Element: AttentionElement>(_: Element.Type, _ tolerance: Double) -> Double {
  Element.elementType == .bfloat16 ? 0x1p-8 : sumTolerance(Element.self, tolerance)
}

/// Says where results differ by more than they may.
func difference<Element: AttentionElement>(
  _ given: (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>),
  _ expected: (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>), within tolerance: Double,
  sums allowedSums: Double? = nil
) -> String? {
  let output = given.output.maximumDifference(expected.output)
  if !(output <= tolerance) {
    return "outputs \(given.output.shape) differ by \(output), allowed \(tolerance)"
  }
  let sums = given.logSumExp.maximumDifference(expected.logSumExp)
  let allowed = allowedSums ?? sumTolerance(Element.self, tolerance)
  return sums <= allowed ? nil : "log-sum-exps \(given.logSumExp.shape) differ by \(sums), allowed \(allowed)"
}

extension Tensor {
  /// The rows that a rank has, of all sequences' along an axis.
  func rows(_ sharding: BatchSharding, _ rank: Int, axis: Int) throws -> Tensor {
    let order = axis == 0 ? self : permuted(1, 0)
    let mine = try sharding.rows(of: order, rank: rank)
    return axis == 0 ? mine : mine.permuted(1, 0)
  }
}
