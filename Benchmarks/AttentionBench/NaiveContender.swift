import Attention
import BenchmarkKit

/// The textbook kernel, on one thread, on as many (sequence, head) pairs as its budget allows.
final class NaiveContender<E: BenchElement>: AttentionContender {
  let name = BenchKernel.naive.rawValue
  let plan: String? = nil
  let tolerance: KeyPath<Tolerances, Double> = \.forNaive

  /// A call, where a call is what was timed to settle how much it computes.
  private var known: Turn?

  private let inputs: BenchInputs<E>
  /// The longest sequence first: its pairs tell best what all take, and there is work in them.
  private let sequences: [Int]
  private let allPairs: Int
  private var pairs = 1

  /// Times one pair, then settles how many a call computes.
  ///
  /// - Parameters:
  ///   - inputs: the problem.
  ///   - bench: its rounds and its memory.
  init(_ inputs: BenchInputs<E>, in bench: Bench) throws {
    self.inputs = inputs
    let shape = inputs.shape
    func scores(_ sequence: Int) -> Double { inputs.scores(sequence: sequence) }
    sequences = (0..<shape.sizes.batch).sorted { (scores($0), $1) > (scores($1), $0) }
    allPairs = shape.sizes.batch * shape.sizes.queryHeads
    // It computes hidden scores too. 2 GFLOP/s is what it reaches on a slow machine.
    let most = scores(sequences[0])
    let seconds = most * 2 * Double(shape.sizes.headDim + shape.sizes.valueDim) / 2e9
    guard seconds < 60 else {
      throw Unsuitable(reason: "one head would take about \(short(seconds)) s")
    }
    let bytes = most * Double(MemoryLayout<E.Accumulator>.size)
    if let lack = bench.lack(of: bytes) { throw Unsuitable(reason: "the scores of one head \(lack)") }

    let budget = bench.rounds.secondsEach
    var pair = try timePair()
    // The first time pays for fresh pages.
    if pair.seconds < budget / 4 {
      let again = try timePair()
      if again.seconds < pair.seconds { pair = again }
    }
    pairs = min(max(Int(budget / 8 / pair.seconds), 1), allPairs)
    if pairs == 1 { known = pair }
  }

  var sample: PairSample? {
    if pairs == allPairs { return nil }
    func scores(_ pair: Int) -> Double { inputs.scores(sequence: place(pair).sequence) }
    let (all, measured) = ((0..<allPairs).map(scores), (0..<pairs).map(scores))
    return PairSample(count: pairs, scale: all.reduce(0, +) / measured.reduce(0, +))
  }

  func timed() -> Contender {
    Contender(name: name, known: known) {
      for pair in 0..<self.pairs { self.runPair(pair) }
    }
  }

  func finish() {}

  private func timePair() throws -> Turn {
    try Contender(name: name) { self.runPair(0) }.turn(0, Stopwatch.seconds)
  }

  /// A pair at a time, so that a call does not pay for the output of pairs that it does not compute.
  private func runPair(_ pair: Int) {
    let (sequence, head) = place(pair)
    _ = inputs.naive(0..<inputs.shape.storedQueries(sequence: sequence), sequence: sequence, head: head)
  }

  private func place(_ pair: Int) -> (sequence: Int, head: Int) {
    let (sequence, head) = pair.quotientAndRemainder(dividingBy: inputs.shape.sizes.queryHeads)
    return (sequences[sequence], head)
  }

  func outputRow(_ row: RowIndex) -> [Double] { inputs.naiveRow(row) }

  func defect() -> String? { nil }
}

extension BenchInputs {
  /// Scores of a head in a sequence that the naive kernel computes, hidden ones too.
  fileprivate func scores(sequence: Int) -> Double {
    Double(shape.storedQueries(sequence: sequence)) * Double(shape.storedKeys(sequence: sequence))
  }
}
