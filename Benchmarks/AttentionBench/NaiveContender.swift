import Attention
import AttentionReference
import BenchmarkKit

/// The textbook kernel, on one thread, on as many (sequence, head) pairs as its budget allows.
final class NaiveContender<E: BenchElement>: AttentionContender {
  let kernel = BenchKernel.naive
  let threads = 1
  private(set) var knownSeconds: Double?

  private let inputs: BenchInputs<E>
  private let allPairs: Int
  private var pairs = 1

  /// Times one pair, then settles how many a call computes.
  ///
  /// - Parameters:
  ///   - inputs: the problem.
  ///   - budget: seconds for all rounds together.
  init(_ inputs: BenchInputs<E>, budget: Double) throws {
    self.inputs = inputs
    let shape = inputs.shape
    allPairs = shape.batch * shape.queryHeads
    // It computes hidden scores too. 2 GFLOP/s is what it reaches on a slow machine.
    let scores = Double(shape.queries) * Double(shape.keys)
    let seconds = scores * 2 * Double(shape.headDim + shape.valueDim) / 2e9
    guard seconds < 60 else {
      throw Unsuitable(reason: "one head would take about \(short(seconds)) s")
    }
    let bytes = scores * Double(MemoryLayout<E.Accumulator>.size)
    let available = AvailableMemory.bytes
    guard bytes < available else {
      throw Unsuitable(
        reason: "the scores of one head take \(short(bytes / 1e9)) GB, \(short(available / 1e9)) are free")
    }

    var pairSeconds = time()
    // The first time pays for fresh pages.
    if pairSeconds < budget / 4 { pairSeconds = min(pairSeconds, time()) }
    pairs = min(max(Int(budget / 8 / pairSeconds), 1), allPairs)
    if pairs == 1 { knownSeconds = pairSeconds }
  }

  var measuredPairs: Int? { pairs < allPairs ? pairs : nil }

  func run() {
    for pair in 0..<pairs { runPair(pair) }
  }

  private func time() -> Double {
    let start = Stopwatch.seconds()
    runPair(0)
    return Stopwatch.seconds() - start
  }

  /// A pair at a time, so that a call does not pay for the output of pairs that it does not compute.
  private func runPair(_ pair: Int) {
    let shape = inputs.shape
    _ = inputs.naive(
      0..<shape.queries, sequence: pair / shape.queryHeads, head: pair % shape.queryHeads)
  }

  func outputRow(_ row: RowIndex) -> [Double] {
    inputs.naive(row.query..<row.query + 1, sequence: row.sequence, head: row.head).elements.map(
      \.doubleValue)
  }

  func defect() -> String? { nil }
}

extension BenchInputs {
  /// The naive kernel's output `[1, 1, queries, Dv]` for some queries of one head.
  func naive(_ queries: Range<Int>, sequence: Int, head: Int) -> Tensor<E> {
    func select(_ tensor: Tensor<E>, _ head: Int) -> Tensor<E> {
      tensor.sliced(axis: 0, sequence..<sequence + 1).sliced(axis: 1, head..<head + 1)
    }
    let keyHead = head / (shape.queryHeads / shape.keyValueHeads)
    let rule = isVisible(sequence: sequence)
    return naiveAttention(
      queries: select(self.queries, head).sliced(axis: 2, queries), keys: select(keys, keyHead),
      values: select(values, keyHead),
      isVisible: rule.map { rule in { rule($0, $1, $2 + queries.lowerBound, $3) } })
  }
}
