/// Attention of sequences of different lengths in one call, one after the other in memory without padding.
///
/// What ``scaledDotProductAttention(queries:keys:values:scale:mask:options:on:)`` computes for each sequence by itself, bitwise:
/// sequences never see each other, and none costs more than alone. Work is shared among threads by blocks of rows, the longest
/// sequence's first.
///
/// - Parameters:
///   - queries: `[total queries, Hq, D]`.
///   - keys: `[total keys, Hkv, D]`.
///   - values: `[total keys, Hkv, Dv]`.
///   - sequences: where each sequence starts and ends.
///   - scale: the factor on the dot products; `1/√D` when nil.
///   - mask: causal rules, windows and ALiBi count within each sequence, and bottom-right means the last query of each on its last key.
///     Tensors of a mask broadcast to `[B, Hq, longest Tq, longest Tk]`. Lengths are refused: the sequences have them.
///   - options: softcap, sinks, precision.
///   - pool: the threads that work on it.
/// - Returns: `output` `[total queries, Hq, Dv]` and `logSumExp` `[Hq, total queries]`; 0 and −∞ in rows past the last sequence.
/// - Throws: ``AttentionError`` where shapes, sequences, mask, scale or options do not fit; nothing is computed then.
public func packedScaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, sequences: PackedSequences,
  scale: Double? = nil, mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(),
  on pool: WorkerPool = .shared
) throws(AttentionError) -> (output: Tensor<Element>, logSumExp: Tensor<Element.Accumulator>) {
  let inputs = try AttentionInputs(
    packedQueries: queries, keys: keys, values: values, sequences, scale, mask, options)
  let problem = try AttentionProblem(inputs)
  return try inputs.withOutputAndLogSumExp(of: problem) { attend(problem, into: $0, on: pool) }
}

/// Packed attention written through a view of memory that the caller owns; everything else is as in
/// ``packedScaledDotProductAttention(queries:keys:values:sequences:scale:mask:options:on:)``.
///
/// - Parameter output: `[total queries, Hq, Dv]` in any strides that give each element a place of its own, none of them in the inputs.
/// - Throws: ``AttentionError`` where something does not fit; nothing is written then.
public func packedScaledDotProductAttention<Element: AttentionElement>(
  queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>, sequences: PackedSequences,
  scale: Double? = nil, mask: AttentionMask = .none, options: AttentionOptions = AttentionOptions(),
  on pool: WorkerPool = .shared, into output: MutableTensorView<Element>
) throws(AttentionError) {
  let inputs = try AttentionInputs(
    packedQueries: queries, keys: keys, values: values, sequences, scale, mask, options)
  let problem = try AttentionProblem(inputs)
  try inputs.check(output: output.shape, problem.sizes)
  try checkDistinct(output.shape, output.strides, named: "output")
  attend(problem, into: AttentionResult(output: output), on: pool)
  withExtendedLifetime(inputs) {}
}

extension AttentionInputs {
  /// Packed tensors of three axes; the keys' and values' rows become those of a batch that shares them.
  init(
    packedQueries queries: Tensor<Element>, keys: Tensor<Element>, values: Tensor<Element>,
    _ sequences: PackedSequences, _ scale: Double?, _ mask: AttentionMask, _ options: AttentionOptions
  ) throws(AttentionError) {
    func batch(_ tensor: Tensor<Element>, _ name: String, _ expected: String) throws(AttentionError)
      -> Tensor<Element>
    {
      guard tensor.rank == 3 else {
        throw AttentionError(name, "shape \(tensor.shape) given, expected \(expected) for packed sequences")
      }
      let (shape, heads) = (tensor.shape, tensor.permuted(1, 0, 2))
      do {
        return try heads.broadcast(to: [max(1, sequences.count), shape[1], shape[0], shape[2]])
      } catch {
        throw AttentionError(name, "\(error)")
      }
    }
    self.init(
      queries: queries,
      keyValues: KeyValues(
        keys: try batch(keys, "keys", "[total, Hkv, D]"),
        values: try batch(values, "values", "[total, Hkv, Dv]")),
      packing: sequences, scale: scale, mask: mask, options: options)
  }
}
