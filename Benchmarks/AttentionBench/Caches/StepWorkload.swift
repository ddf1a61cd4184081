import Attention
import BenchmarkKit
import Parallelism

/// What a step of continuous batching costs beside attention: 50 sequences of a small model, a token each. `step-write` brings keys and
/// values of all layers into their pages; `step-copy` copies as many bytes to the same places, row by row; `step-plan` reserves the step and
/// plans its attention.
struct StepWorkload: Workload {
  private let sequences = 50
  private let layers = 30
  private let heads = (query: 9, keyValue: 3)
  private let width = 64

  let names = ["step-copy", "step-write", "step-plan"]

  func measure<E: BenchElement>(_ type: E.Type, in bench: Bench) throws -> [ResultRow] {
    let rowCount = sequences * layers * heads.keyValue * 2
    // Float rows are read, and written in the pool's type.
    let bytes = Double(rowCount * width * (4 + MemoryLayout<E>.size))
    var rows = names.map { name in
      ResultRow(
        name: name, kernel: "cache", dtype: E.benchType.rawValue, threads: bench.pool.threadCount,
        work: .stream(bytes: name == "step-plan" ? 0 : bytes))
    }
    guard let types = CacheVariant.slab.types(E.self) else {
      for index in rows.indices { rows[index].status = .skipped("no cache keeps \(E.benchType.rawValue)") }
      return rows
    }
    do {
      let server = try Server(self, types, bench)
      let turns = try bench.rounds.measure([
        Contender(name: names[0]) { server.copy() }.compared(),
        Contender(name: names[1]) { try server.write() }.compared(),
        Contender(name: names[2]) { try server.plan() },
      ])
      for index in rows.indices {
        rows[index].set(turns[index])
        if turns[index].isEmpty { rows[index].status = .skipped(Unsuitable.interrupted.reason) }
      }
      if !turns[0].isEmpty, !turns[1].isEmpty {
        rows[1].comparedWith = names[0]
        rows[1].costOverPlain = Quantiles(zip(turns[1], turns[0]).map { $0.seconds / $1.seconds }).median
      }
    } catch {
      for index in rows.indices { rows[index].status = .failed("\(error)") }
    }
    return rows
  }

  func explanation<E: BenchElement>(_ type: E.Type, seed: UInt64, on pool: WorkerPool) throws -> [String] {
    [
      "\(names.joined(separator: ", ")) \(E.benchType.rawValue): a token each of \(sequences) sequences in \(layers) layers, "
        + "\(heads.query) heads on \(heads.keyValue) of width \(width)", "",
    ]
  }

  private final class Server {
    let pool: KeyValuePool
    let threads: WorkerPool
    let all: [KeyValueSequence]
    let keys: [Tensor<Float>]
    let values: [Tensor<Float>]
    let attention: ScaledDotProductAttention
    let queries: Queries<Float>
    /// What `copy` writes to: as large as the pool, a row's place in it as far from the next one's as in the pool.
    let target: UnsafeMutableRawBufferPointer
    let places: [Int]
    let rowBytes: Int

    init(
      _ workload: StepWorkload, _ types: (keys: KeyValueType, values: KeyValueType), _ bench: Bench
    ) throws {
      let (layers, heads, width) = (workload.layers, workload.heads.keyValue, workload.width)
      let pageSize = 16
      let lengths = (0..<workload.sequences).map { 100 + 37 * $0 }
      let pages = lengths.reduce(0) { $0 + $1 / pageSize + 2 }
      pool = try KeyValuePool(
        layers: layers, heads: heads, depth: width, keys: types.keys, values: types.values,
        pageSize: pageSize,
        pages: pages)
      threads = bench.pool
      all = lengths.map { [pool] _ in pool.makeSequence() }
      let step = try KeyValueStep(all, appending: lengths)
      let total = lengths.reduce(0, +)
      let rows = Tensor<Float>.normal([total, heads, width], seed: bench.seed)
      for layer in 0..<layers { try step.write(layer: layer, keys: rows, values: rows, on: bench.pool) }
      try step.commit()
      keys = (0..<layers).map { .normal([lengths.count, heads, width], seed: UInt64($0)) }
      values = (0..<layers).map { .normal([lengths.count, heads, width], seed: UInt64($0 + layers)) }
      attention = ScaledDotProductAttention(mask: .causal, on: bench.pool)
      queries = .packed(
        .normal([lengths.count, workload.heads.query, width], seed: 5), lengths: lengths.map { _ in 1 })
      rowBytes = width * types.keys.rowBytes(columns: 1)
      target = .allocate(byteCount: pool.byteCount, alignment: 64)
      target.initializeMemory(as: UInt8.self, repeating: 1)
      // A row of every head in a page of its own for each sequence and layer, keys and then values.
      let part = pages * heads * pageSize * rowBytes
      var places: [Int] = []
      for layer in 0..<layers {
        for kind in 0..<2 {
          for sequence in 0..<lengths.count {
            for head in 0..<heads {
              let page = pages * sequence / lengths.count
              places.append(
                (kind * layers + layer) * part + ((page * heads + head) * pageSize + sequence % pageSize)
                  * rowBytes)
            }
          }
        }
      }
      self.places = places
      try write()
      try plan()
    }

    deinit { target.deallocate() }

    /// Reads all rows and writes as many bytes as a step does, to places as far apart.
    func copy() {
      guard let base = target.baseAddress else { return }
      var next = 0
      for layer in keys.indices {
        for rows in [keys[layer], values[layer]] {
          rows.withUnsafePointer { source in
            let count = rows.count * MemoryLayout<Float>.size / (rows.shape[0] * rows.shape[1])
            for row in 0..<rows.shape[0] * rows.shape[1] {
              let from = UnsafeRawPointer(source) + row * count
              let to = base + places[next]
              // All of a row is read, and what the pool keeps of it is written.
              to.copyMemory(from: from + count - rowBytes, byteCount: rowBytes)
              if rowBytes < count { to.copyMemory(from: from, byteCount: rowBytes) }
              next += 1
            }
          }
        }
      }
    }

    func write() throws {
      let step = try KeyValueStep(all, appending: all.map { _ in 1 })
      for layer in keys.indices {
        try step.write(layer: layer, keys: keys[layer], values: values[layer], on: threads)
      }
      step.cancel()
    }

    func plan() throws {
      let step = try KeyValueStep(all, appending: all.map { _ in 1 })
      _ = try attention.plan(queries, step.keyValues(layer: 0))
      step.cancel()
    }
  }
}
