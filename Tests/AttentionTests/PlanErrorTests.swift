import Attention
import TestSupport
import Testing

/// What does not fit a plan is refused by name, and nothing is written.
@Suite struct PlanErrorTests {
  private let attend = ScaledDotProductAttention(mask: .causal, on: Pools.two)

  /// The memory that a run writes to, by its shapes; that of the steps below where nothing else is said.
  private struct Results {
    var output: Shape = [2, 4, 5, 3]
    var logSumExp: Shape = [2, 4, 5]
  }

  /// Expects a run to be refused, for this argument, with its results as they were.
  private func expectRefusal<E: AttentionElement>(
    of argument: String, _ plan: AttentionPlan, _ queries: Queries<E>, _ keyValues: KeyValues,
    into results: Results = Results(), sourceLocation: SourceLocation = #_sourceLocation
  ) {
    let untouched = (
      Tensor(repeating: E(nearest: 5), shape: results.output),
      Tensor(repeating: E.Accumulator(nearest: 5), shape: results.logSumExp)
    )
    var (view, sums) = untouched
    view.withMutableView { view in
      sums.withMutableView { sums in
        AttentionTests.expectRefusal(of: argument, sourceLocation: sourceLocation) {
          try plan.run(queries, keyValues, to: view, logSumExp: sums)
        }
      }
    }
    #expect(view == untouched.0 && sums == untouched.1, sourceLocation: sourceLocation)
  }

  /// Sequences of 3 and 5 queries, and 7 and 9 keys.
  private struct Step {
    var queryHeads = 4
    var heads = 2
    var rows = 5
    var keys = 9
    var depth = 6
    var width = 3
    var queryLengths: [Int]? = [3, 5]
    var keyLengths: [Int]? = [7, 9]

    func queries<E: AttentionElement>(_: E.Type) -> Queries<E> {
      let tensor = Tensor<E>.zeros([2, queryHeads, rows, depth])
      return queryLengths.map { .padded(tensor, lengths: $0) } ?? Queries(tensor)
    }

    func keyValues<K: AttentionElement, V: AttentionElement>(_: K.Type, _: V.Type) -> KeyValues {
      KeyValues(
        keys: Tensor<K>.zeros([2, heads, keys, depth]), values: Tensor<V>.zeros([2, heads, keys, width]),
        lengths: keyLengths)
    }
  }

  private static let wrong: [(String, Step)] = [
    ("queries", Step(queryHeads: 6)), ("queries", Step(queryHeads: 2)), ("queries", Step(rows: 6)),
    ("queries", Step(queryLengths: nil)), ("lengths", Step(queryLengths: [3, 4])),
    ("lengths", Step(queryLengths: [5, 3])), ("lengths", Step(queryLengths: [3, 6])),
    ("lengths", Step(queryLengths: [3])), ("keys", Step(heads: 4)), ("keys", Step(heads: 1)),
    ("keys", Step(keys: 10)), ("values", Step(width: 4)), ("lengths", Step(keyLengths: nil)),
    ("lengths", Step(keyLengths: [7, 8])), ("lengths", Step(keyLengths: [9, 7])),
    ("lengths", Step(keyLengths: [7])), ("lengths", Step(keyLengths: [7, 10])), ("queries", Step(depth: 7)),
  ]

  @Test(arguments: wrong.indices) func refusesOtherSizes(index: Int) throws {
    let (argument, other) = Self.wrong[index]
    let step = Step()
    let plan = try attend.plan(step.queries(Float.self), step.keyValues(Float.self, Float.self))
    // Queries and keys that fit each other, and then those that do not.
    expectRefusal(
      of: argument, plan, other.queries(Float.self), other.keyValues(Float.self, Float.self))
    let isOfQueries = argument == "queries" || other.queryLengths != step.queryLengths
    expectRefusal(
      of: argument, plan, (isOfQueries ? other : step).queries(Float.self),
      (isOfQueries ? step : other).keyValues(Float.self, Float.self))
  }

  @Test func refusesOtherTypes() throws {
    let step = Step()
    let plan = try attend.plan(step.queries(Float.self), step.keyValues(Float.self, Float16.self))
    func refuse<Q: AttentionElement>(_ argument: String, _: Q.Type, _ keyValues: KeyValues) {
      expectRefusal(of: argument, plan, step.queries(Q.self), keyValues)
    }
    refuse("queries", Float16.self, step.keyValues(Float.self, Float16.self))
    refuse("queries", BFloat16.self, step.keyValues(Float.self, Float16.self))
    refuse("queries", Double.self, step.keyValues(Float.self, Float16.self))
    refuse("keys", Float.self, step.keyValues(Float16.self, Float16.self))
    refuse("keys", Float.self, step.keyValues(Float.self, BFloat16.self))
    refuse("keys", Float.self, step.keyValues(Float.self, Float.self))
    refuse("keys", Float.self, step.keyValues(Double.self, Float16.self))
  }

  @Test func refusesOtherArrangements() throws {
    let (q, rows) = (Tensor<Float>.zeros([2, 4, 4, 6]), Tensor<Float>.zeros([8, 4, 6]))
    let k = Tensor<Float>.zeros([2, 2, 9, 6])
    let keyValues = KeyValues(keys: k, values: k)
    let batch = try attend.plan(q, keyValues)
    let packed = try attend.plan(.packed(rows, lengths: [3, 4]), keyValues)
    let refuse = { (argument: String, plan: AttentionPlan, queries: Queries<Float>) in
      expectRefusal(
        of: argument, plan, queries, keyValues, into: Results(output: [2, 4, 4, 6], logSumExp: [2, 4, 4]))
    }
    refuse("queries", batch, .packed(rows, lengths: [4, 4]))
    refuse("queries", packed, Queries(q))
    refuse("queries", packed, .padded(q, lengths: [3, 4]))
    refuse("lengths", packed, .packed(rows, lengths: [4, 3]))
    refuse("lengths", packed, .packed(rows, lengths: [3, 4, 0]))
    refuse("lengths", packed, .packed(rows, lengths: [3]))
    refuse("lengths", packed, .packed(rows, lengths: [3, 6]))
    refuse("queries", packed, .packed(.zeros([7, 4, 6]), lengths: [3, 4]))
    refuse("queries", batch, Queries(rows))
  }

  @Test func refusesKeysThatDoNotFitThemselves() throws {
    let step = Step()
    let (queries, good) = (step.queries(Float.self), step.keyValues(Float.self, Float.self))
    let plan = try attend.plan(queries, good)
    let (k, v) = (Tensor<Float>.zeros([2, 2, 9, 6]), Tensor<Float>.zeros([2, 2, 9, 3]))
    let pages = Tensor<Float>.zeros([3, 9, 2, 6])
    let table = try Tensor<Int32>([0, 3], shape: [2, 1])
    for (argument, keyValues) in [
      ("values", KeyValues(keys: k, values: v.sliced(axis: 2, 0..<8), lengths: [7, 8])),
      ("values", KeyValues(keys: k, values: v.selected(axis: 0, 0), lengths: [7, 9])),
      ("pageTable", KeyValues(keyPages: pages, valuePages: pages, pageTable: table, lengths: [7, 9])),
      ("keyValues", KeyValues(joining: [])),
      (
        "lengths",
        KeyValues(
          packedKeys: .zeros([16, 2, 6]) as Tensor<Float>, values: .zeros([16, 2, 3]) as Tensor<Float>,
          lengths: [7, 9, 0])
      ),
    ] {
      expectRefusal(of: argument, plan, queries, keyValues)
    }
  }

  @Test func refusesOutputsThatDoNotFit() throws {
    let step = Step()
    let (queries, keyValues) = (step.queries(Float.self), step.keyValues(Float.self, Float.self))
    let plan = try attend.plan(queries, keyValues)
    for output in [[2, 4, 5, 4], [2, 4, 4, 3], [2, 2, 5, 3], [1, 4, 5, 3], [40, 3], [2, 4, 15]] as [Shape] {
      expectRefusal(of: "output", plan, queries, keyValues, into: Results(output: output))
    }
    for sums in [[2, 4, 6], [2, 4], [2, 4, 5, 1], [4, 2, 5], []] as [Shape] {
      expectRefusal(of: "logSumExp", plan, queries, keyValues, into: Results(logSumExp: sums))
    }
    // Still good for what fits, after all that.
    var output = Tensor<Float>(repeating: 5, shape: [2, 4, 5, 3])
    try output.withMutableView { try plan.run(queries, keyValues, to: $0) }
    #expect(output == .zeros([2, 4, 5, 3]))
  }

  /// What was refused has left nothing behind: the next run computes its own tensors.
  @Test func aRefusedRunChangesNoLaterOne() throws {
    let (q, k) = (Tensor<Float>.normal([2, 4, 5, 6], seed: 1), Tensor<Float>.normal([2, 2, 9, 6], seed: 2))
    let other = Tensor<Float>.normal([2, 2, 9, 6], seed: 3)
    let plan = try attend.plan(q, KeyValues(keys: k, values: k))
    let expected = try attend(q, KeyValues(keys: other, values: other))
    var output = expected
    try output.withMutableView { view in
      AttentionTests.expectRefusal(of: "output") {
        try plan.run(q, KeyValues(keys: k, values: k), to: view.sliced(axis: 2, 0..<4))
      }
      AttentionTests.expectRefusal(of: "keys") {
        try plan.run(q, KeyValues(keys: q, values: q), to: view)
      }
      try plan.run(q, KeyValues(keys: other, values: other), to: view)
    }
    #expect(haveSameBits(output, expected))
  }
}
