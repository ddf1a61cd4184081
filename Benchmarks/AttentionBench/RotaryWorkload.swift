import Attention
import BenchmarkKit
import Foundation
import Parallelism

/// Rotary embedding of one tensor in place, beside the rate at which this machine reads and writes as much memory.
///
/// It reads and writes each element once and computes next to nothing: memory is its only limit.
struct RotaryWorkload: Workload {
  private let name = "rotary-2048"
  private let heads = 32
  private let positions = 2048
  private let width = 128

  var names: [String] { [name] }

  private var shape: Shape { [1, heads, positions, width] }

  func measure<E: BenchElement>(_ type: E.Type, in bench: Bench) throws -> [ResultRow] {
    let byteCount = heads * positions * width * MemoryLayout<E>.size
    var row = ResultRow(
      name: name, kernel: "rotary", dtype: E.benchType.rawValue, threads: bench.pool.threadCount,
      work: .stream(bytes: Double(2 * byteCount)))
    // The check turns a copy.
    if let lack = bench.lack(of: Double(2 * byteCount)) {
      row.status = .skipped("its tensors \(lack)")
      return [row]
    }
    let rotary = try RotaryEmbedding(headDimension: width, positions: positions, on: bench.pool)
    var tensor: Tensor<E> = randomTensor(shape, seed: bench.seed)
    do {
      try check(rotary, tensor, on: bench.pool, &row)
      let turn = Contender(name: name) { try rotary.apply(to: &tensor, on: bench.pool) }
      // The probe has threads and a clock of its own: of its turn only the rate counts that it returns.
      var rates: [Double] = []
      let seconds = bench.rounds.batchSeconds
      let probe = Contender(name: "probe", known: Turn(seconds: seconds)) {
        rates.append(bench.probe.readWriteBytesPerSecond(workingSet: byteCount, seconds: seconds))
      }
      row.set(try bench.rounds.measure([turn, probe])[0])
      if row.turns.isEmpty, !row.isFailure { row.status = .skipped(Unsuitable.interrupted.reason) }
      if !rates.isEmpty { row.limits.readWriteBytesPerSecond = Quantiles(rates).median }
    } catch {
      row.status = .failed("\(error)")
    }
    return [row]
  }

  func explanation<E: BenchElement>(_ type: E.Type, seed: UInt64, on pool: WorkerPool) throws -> [String] {
    [
      "\(name) \(E.benchType.rawValue): queries of a Llama-3-8B prompt, turned by their positions",
      "kernel     rotary: pairs (x[i], x[i + \(width / 2)]) of \(shape), in place, on up to \(pool.threadCount) threads",
      "",
    ]
  }
}

// MARK: - Check

extension RotaryWorkload {
  /// Turns a copy once and holds sampled rows against Double.
  private func check<E: BenchElement>(
    _ rotary: RotaryEmbedding, _ tensor: Tensor<E>, on pool: WorkerPool, _ row: inout ResultRow
  ) throws {
    var turned = tensor.contiguousCopy()
    try rotary.apply(to: &turned, on: pool)
    let sample = Check.sampleRows(heads: heads, queries: [positions])
    let inputs = sample.map { values(of: tensor, $0) }
    let check = Check(
      rows: sample, reference: zip(sample, inputs).map { turn($1, position: $0.query) },
      tolerance: tolerance(largest: inputs.joined().reduce(0) { max($0, $1.magnitude) }, E.self)
    ) { values(of: turned, $0) }
    row.maxError = check.maxError
    row.tolerance = check.tolerance
    if let failure = turned.defect ?? check.failure { row.status = .failed(failure) }
  }

  private func values<E: BenchElement>(of tensor: Tensor<E>, _ row: RowIndex) -> [Double] {
    tensor.selected(axis: 0, row.sequence).selected(axis: 0, row.head).selected(axis: 0, row.query)
      .elements.map(\.doubleValue)
  }

  /// A row turned as the paper words it: pair `i` by the angle `position · 10000^(−2i/D)`, its numbers half a row apart.
  private func turn(_ row: [Double], position: Int) -> [Double] {
    let half = width / 2
    var turned = row
    for pair in 0..<half {
      let angle = Double(position) * pow(10_000, -2 * Double(pair) / Double(width))
      turned[pair] = row[pair] * cos(angle) - row[pair + half] * sin(angle)
      turned[pair + half] = row[pair + half] * cos(angle) + row[pair] * sin(angle)
    }
    return turned
  }

  /// With `u` half the distance from 1 to the next number of the arithmetic and inputs of at most `m`: table entries are off by `u / 2`,
  /// two of them by `m · u` in sum; two products add `2 · m · u`, their sum, at most `√2 · m`, another `1.5 · m · u`: below `5 · m · u`,
  /// twice that where the reference is no more exact. Storing rounds once more. Angles up to the last position, in Double on both
  /// sides, differ by some of its own roundings.
  private func tolerance<E: BenchElement>(largest: Double, _: E.Type) -> Double {
    let arithmetic = E.benchType == .f64 ? Double.unitRoundoff : Float.unitRoundoff
    let angles = 8 * Double(positions) * Double.unitRoundoff
    return largest * (10 * arithmetic + 1.5 * E.unitRoundoff + angles)
  }
}
