import Attention

/// Which sequences each rank computes, so that all have about as much to do: continuous batching over ranks that hold the whole model each.
///
///     let schedule = ReplicaSchedule(loads: lengths.map(Double.init), ranks: 4)
///     let mine = schedule.sequences(of: communicator.rank)
///
/// The heaviest sequence goes to the rank that has least so far, then the next one: at most 4/3 of the least possible. Equal loads go in the order
/// of sequences and ranks, so all ranks find the same schedule.
/// - SeeAlso: Graham 1969, "Bounds on Multiprocessing Timing Anomalies".
public struct ReplicaSchedule: Hashable, Sendable {
  /// The rank of each sequence.
  public let ranks: [Int]
  private let rankCount: Int

  /// - Parameters:
  ///   - loads: what each sequence costs, in any unit; 0 or more.
  ///   - ranks: how many ranks there are.
  ///   - busy: what each rank has to do already, in the same unit; nothing where nil.
  /// - Precondition: `ranks >= 1`; a number for each rank in `busy`.
  public init(loads: [Double], ranks: Int, busy: [Double]? = nil) {
    precondition(ranks >= 1, "\(ranks) ranks")
    var total = busy ?? Array(repeating: 0, count: ranks)
    precondition(total.count == ranks, "\(total.count) loads of \(ranks) ranks")
    var assigned = Array(repeating: 0, count: loads.count)
    for sequence in loads.indices.sorted(by: { (-loads[$0], $0) < (-loads[$1], $1) }) {
      let rank = total.indices.min { (total[$0], $0) < (total[$1], $1) } ?? 0
      assigned[sequence] = rank
      total[rank] += loads[sequence]
    }
    (self.ranks, rankCount) = (assigned, ranks)
  }

  /// The sequences of a rank, in ascending order.
  public func sequences(of rank: Int) -> [Int] { ranks.indices.filter { ranks[$0] == rank } }
}

/// What each sequence costs: its pairs of queries and keys.
func sequenceLoads(_ lengths: [Int], _ keyLengths: [Int]) -> [Double] {
  zip(lengths, keyLengths).map { Double($0) * Double($1) }
}

extension ShardedAttention {
  /// A batch whose sequences are spread over ranks: each rank attends over its sequences as alone, and all get all outputs.
  ///
  /// The bits are those of one rank. A sequence costs as many pairs of queries and keys as it has, at most.
  ///
  /// - Parameters:
  ///   - queries: `[total, Hq, D]`, all sequences, the same on all ranks.
  ///   - lengths: how many queries each sequence has.
  ///   - keys: `[total keys, Hkv, D]`; a rank reads the rows of its own sequences.
  ///   - values: `[total keys, Hkv, Dv]`, likewise.
  ///   - keyLengths: how many keys each sequence has; nil where they are those of the queries.
  /// - Returns: output `[total, Hq, Dv]` and log-sum-exp `[Hq, total]` of all sequences, on all ranks.
  /// - Throws: ``DistributedError``; see ``ShardedAttention``.
  public func attendBySequences<Element: AttentionElement>(
    _ queries: Tensor<Element>, lengths: [Int], _ keys: some KeyValueTensor, _ values: some KeyValueTensor,
    lengths keyLengths: [Int]? = nil
  ) throws(DistributedError) -> Result<Element> {
    let (keys, values, keyLengths) = (keys.stored, values.stored, keyLengths ?? lengths)
    var agreement = CallAgreement("attendBySequences", attention)
    agreement.add("queries", "\(Element.elementType) \(queries.shape)")
    agreement.add("keys", "\(keys.typeName) \(keys.rowShape)")
    agreement.add("values", "\(values.typeName) \(values.rowShape)")
    agreement.add("lengths", "\(lengths) and \(keyLengths)")
    var offsets: [Int] = []
    agreement.check { () throws(AttentionError) in
      offsets = try self.offsets(queries: lengths, keys: keyLengths)
      // The whole, as one rank would.
      try attention.checkCall(
        .packed(queries, lengths: lengths), KeyValues(packedKeys: keys, values: values, lengths: keyLengths))
      try checkRules()
    }
    try agreement.settle(over: communicator)
    let schedule = ReplicaSchedule(
      loads: sequenceLoads(lengths, keyLengths), ranks: communicator.size)
    let (rows, heads, width) = (queries.shape[0], queries.shape[1], values.rowShape[2])
    var results = try refusing { () throws(AttentionError) in
      SequenceResults<Element>(
        try allocated([rows, heads, width], for: "queries", queries.shape),
        try allocated([rows, heads], for: "queries", queries.shape), lengths)
    }
    let keyStarts = keyLengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    for sequence in schedule.sequences(of: communicator.rank) {
      try refusing { () throws(AttentionError) in
        let mask = attention.mask.part(
          ScorePart(
            sequence: sequence, queries: 0..<lengths[sequence], keys: 0..<keyLengths[sequence],
            heads: 0..<heads,
            offset: offsets[sequence]))
        var attend = attention
        attend.mask = mask
        let range = keyStarts[sequence]..<keyStarts[sequence + 1]
        let (output, sums) = try attend.withLogSumExp(
          .packed(queries.sliced(axis: 0, results.rows(sequence)), lengths: [lengths[sequence]]),
          KeyValues(packedKeys: keys.rows(range), values: values.rows(range), lengths: [range.count]))
        try results.set(sequence, output, sums)
      }
    }
    var traffic = Traffic()
    try results.share(schedule, over: communicator, &traffic)
    return Result(output: results.output, logSumExp: results.logSumExp, traffic: traffic)
  }
}

/// Outputs and log-sum-exps of all sequences, some of which come from other ranks.
private struct SequenceResults<Element: AttentionElement>: Sendable {
  private(set) var output: Tensor<Element>
  /// `[rows, heads]`: the rows of a sequence follow each other.
  private var sums: Tensor<Element.Accumulator>
  private let starts: [Int]

  init(_ output: Tensor<Element>, _ sums: Tensor<Element.Accumulator>, _ lengths: [Int]) {
    (self.output, self.sums) = (output, sums)
    starts = lengths.reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    // Rows after the last sequence are nobody's.
    let used = starts[starts.count - 1]
    self.output.withMutableView { view in
      let rest = view.sliced(axis: 0, used..<view.shape[0])
      let perRow = view.shape[1] * view.shape[2] * MemoryLayout<Element>.stride
      UnsafeMutableRawPointer(rest.base).initializeMemory(
        as: UInt8.self, repeating: 0, count: rest.shape[0] * perRow)
    }
    self.sums.withMutableView { view in
      for index in used * view.shape[1]..<view.shape[0] * view.shape[1] { view.base[index] = -.infinity }
    }
  }

  /// `[heads, rows]`
  var logSumExp: Tensor<Element.Accumulator> { sums.permuted(1, 0) }

  func rows(_ sequence: Int) -> Range<Int> { starts[sequence]..<starts[sequence + 1] }

  mutating func set(
    _ sequence: Int, _ output: Tensor<Element>, _ sums: Tensor<Element.Accumulator>
  ) throws(AttentionError) {
    let rows = rows(sequence)
    try self.output.withMutableView { (view) throws(AttentionError) in
      try view.sliced(axis: 0, rows).assign(from: output)
    }
    try self.sums.withMutableView { (view) throws(AttentionError) in
      try view.sliced(axis: 0, rows).assign(from: sums.permuted(1, 0))
    }
  }

  /// Sends this rank's results to all others, and receives theirs.
  mutating func share<Over: Communicator>(
    _ schedule: ReplicaSchedule, over communicator: Over, _ traffic: inout Traffic
  ) throws(DistributedError) {
    var underWay: [any Transfer] = []
    for round in communicator.rounds {
      for sequence in schedule.sequences(of: round.source) {
        for room in bytes(sequence) {
          underWay.append(try communicator.beginReceive(room, from: round.source, keeping: self))
          traffic.received += room.count
        }
      }
      for sequence in schedule.sequences(of: communicator.rank) {
        for bytes in bytes(sequence) {
          underWay.append(
            try communicator.beginSend(UnsafeRawBufferPointer(bytes), to: round.destination, keeping: self))
          traffic.sent += bytes.count
        }
      }
    }
    for transfer in underWay { try traffic.wait(for: transfer) }
  }

  /// The memory of a sequence's rows: outputs, then log-sum-exps.
  private func bytes(_ sequence: Int) -> [UnsafeMutableRawBufferPointer] {
    let rows = rows(sequence)
    return [output.sliced(axis: 0, rows).writableBytes, sums.sliced(axis: 0, rows).writableBytes]
  }
}
