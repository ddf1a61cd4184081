import Attention
import BenchmarkKit
import Parallelism

/// Sequences that share a prompt, one query each: with the prompt's pages in common, and with a copy each, in the same rounds.
struct SharedPrefixWorkload: Workload {
  private struct Variant {
    let suffix: String
    let group: Int
    let isShared: Bool
  }

  private static let variants = [
    Variant(suffix: "-copies", group: 1, isShared: false), Variant(suffix: "", group: 1, isShared: true),
    Variant(suffix: "-g4-copies", group: 4, isShared: false),
    Variant(suffix: "-g4", group: 4, isShared: true),
  ]

  private let sequences = 8
  private let prefix = 4096
  private let queryHeads = 32
  private let width = 128

  var names: [String] { Self.variants.map { "prefix-8x4096\($0.suffix)" } }

  func measure<E: BenchElement>(_ type: E.Type, in bench: Bench) throws -> [ResultRow] {
    let size = Double(MemoryLayout<E>.size)
    let keyBytes = { (heads: Int) in Double(2 * prefix * heads * width) * size }
    var rows = zip(Self.variants, names).map { variant, name in
      let heads = queryHeads / variant.group
      let bytes = keyBytes(heads) * Double(variant.isShared ? 1 : sequences)
      return ResultRow(
        name: name, kernel: BenchKernel.chosen.name, dtype: E.benchType.rawValue,
        threads: bench.pool.threadCount,
        work: .attention(
          usefulFlops: Double(4 * sequences * (prefix + 1) * queryHeads * width), keyValueBytes: bytes),
        limits: bench.probe.limits(workingSet: Int(bytes), in: E.arithmetic))
    }
    let lack = bench.lack(of: keyBytes(queryHeads) * Double(sequences + 2) * 1.5)
    let stored = CacheVariant.slab.types(E.self)
    guard lack == nil, let stored else {
      for index in rows.indices {
        rows[index].status = .skipped(
          lack.map { "its tensors \($0)" } ?? "no cache keeps \(E.benchType.rawValue)")
      }
      return rows
    }
    do {
      let calls = try Self.variants.map { try Call<E>(self, $0, stored, bench) }
      let turns = try bench.rounds.measure(
        zip(names, calls).map { name, call in Contender(name: name) { try call.run() }.compared() })
      for index in rows.indices {
        rows[index].set(turns[index])
        if turns[index].isEmpty { rows[index].status = .skipped(Unsuitable.interrupted.reason) }
        let plain = index / 2 * 2
        if index != plain, !turns[plain].isEmpty, !turns[index].isEmpty {
          rows[index].comparedWith = names[plain]
          rows[index].costOverPlain =
            Quantiles(zip(turns[index], turns[plain]).map { $0.seconds / $1.seconds }).median
          // Sharing changes no bit.
          let isSame =
            calls[index].output.elements.map(\.doubleValue) == calls[plain].output.elements.map(\.doubleValue)
          rows[index].maxError = isSame ? 0 : nil
          rows[index].tolerance = 0
          if !isSame { rows[index].status = .failed("other bits than with a copy each") }
        }
        if let defect = calls[index].output.defect { rows[index].status = .failed(defect) }
      }
    } catch {
      for index in rows.indices { rows[index].status = .failed("\(error)") }
    }
    return rows
  }

  func explanation<E: BenchElement>(_ type: E.Type, seed: UInt64, on pool: WorkerPool) throws -> [String] {
    names.flatMap { name in
      [
        "\(name) \(E.benchType.rawValue): a query each of \(sequences) sequences over a prompt of \(prefix) tokens",
        "pages      of 64 rows, the prompt's once or once a sequence", "",
      ]
    }
  }

  private final class Call<E: BenchElement> {
    let attention: ScaledDotProductAttention
    let queries: Queries<E>
    let keyValues: KeyValues
    var output: Tensor<E>

    init(
      _ workload: SharedPrefixWorkload, _ variant: Variant,
      _ types: (keys: KeyValueType, values: KeyValueType), _ bench: Bench
    ) throws {
      let (count, prefix, width) = (workload.sequences, workload.prefix, workload.width)
      let heads = workload.queryHeads / variant.group
      let copies = variant.isShared ? 1 : count
      let pool = try KeyValuePool(
        layers: 1, heads: heads, depth: width, keys: types.keys, values: types.values, pageSize: 64,
        pages: copies * (prefix / 64) + count)
      let (k, v): (Tensor<E>, Tensor<E>) = (
        randomTensor([prefix, heads, width], seed: bench.seed),
        randomTensor([prefix, heads, width], seed: bench.seed &+ 1)
      )
      let roots = try (0..<copies).map { _ in
        let root = pool.makeSequence()
        let step = try KeyValueStep([root], appending: [prefix])
        try step.write(layer: 0, keys: k, values: v, on: bench.pool)
        try step.commit()
        return root
      }
      let sequences = try (0..<count).map { copies == 1 ? try roots[0].fork() : roots[$0] }
      let step = try KeyValueStep(sequences, appending: sequences.map { _ in 1 })
      let rows: Tensor<E> = randomTensor([count, heads, width], seed: bench.seed &+ 2)
      try step.write(layer: 0, keys: rows, values: rows)
      keyValues = try step.keyValues(layer: 0)
      try step.commit()
      attention = ScaledDotProductAttention(mask: .causal, on: bench.pool)
      queries = .packed(
        randomTensor([count, workload.queryHeads, width], seed: bench.seed &+ 3),
        lengths: sequences.map { _ in 1 })
      output = Tensor(repeating: E(nearest: .nan), shape: [count, workload.queryHeads, width])
      try run()
    }

    func run() throws {
      try output.withMutableView { (view) throws(AttentionError) in
        try attention.write(queries, keyValues, to: view)
      }
    }
  }
}
