/// Keys and values, wherever they lie, in whatever types they are stored, with lengths of their own.
///
///     KeyValues(keys: k, values: v)                                         // a tensor each, [B, Hkv, Tk, D]
///     KeyValues(keys: k, values: v, lengths: [153, 512])                    // rows 0..<length of longer tensors: a slab with room
///     KeyValues(packedKeys: k, values: v, lengths: [153, 512])              // [total, Hkv, D], one sequence after the other
///     KeyValues(keyPages: kp, valuePages: vp, pageTable: t, lengths: [700, 31])       // a paged cache
///     KeyValues(joining: [prefix, suffix])                                  // parts that follow each other
///
/// Every source goes with padded and packed queries alike, and none is copied: rows are read where they lie. Keys and values have
/// storage types of their own, each any of Float, Double, Float16, BFloat16 and, as a ``QuantizedTensor``, Int8 with scales; what is computed is
/// attention over the numbers that are stored. Rows past a sequence's length exist in memory and are never looked at.
///
/// A value of tensors: it shares their memory, and making one allocates nothing but what its lists of lengths take. What does not fit
/// is refused by the call that it is given to, with the name of the argument.
public struct KeyValues: Sendable {
  let storage: Storage

  enum Storage: Sendable {
    case tensors(Tensors)
    case packed(Packed)
    case pages(Pages)
    case joined([KeyValues])
    case cached(Cached)
    case moved(Moved)
  }

  /// A layer of sequences of a pool.
  struct Cached: Sendable {
    let view: CacheView
    let layer: Int
  }

  init(cached view: CacheView, layer: Int) { storage = .cached(Cached(view: view, layer: layer)) }

  /// `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]`.
  struct Tensors: Sendable {
    let keys: StoredTensor
    let values: StoredTensor
    /// nil where all rows are in use.
    let lengths: [Int]?
  }

  /// `[total, Hkv, D]` and `[total, Hkv, Dv]`.
  struct Packed: Sendable {
    let keys: StoredTensor
    let values: StoredTensor
    let lengths: [Int]
    /// The first row of each sequence.
    let starts: [Int]
  }

  /// `[pages, pageSize, Hkv, D]` and `[pages, pageSize, Hkv, Dv]`.
  struct Pages: Sendable {
    let keys: StoredTensor
    let values: StoredTensor
    /// `[B, pages of a sequence]`
    let table: Tensor<Int32>
    let lengths: [Int]
  }

  /// A tensor of keys and one of values, in any strides.
  ///
  /// - Parameters:
  ///   - keys: `[B, Hkv, Tk, D]`.
  ///   - values: `[B, Hkv, Tk, Dv]`.
  ///   - lengths: how many rows of each sequence are in use, each in `0...Tk`; all of them when nil.
  public init(
    keys: some KeyValueTensor, values: some KeyValueTensor, lengths: [Int]? = nil
  ) {
    storage = .tensors(Tensors(keys: keys.stored, values: values.stored, lengths: lengths))
  }

  /// Keys and values of sequences of different lengths, one after the other without padding.
  ///
  /// - Parameters:
  ///   - packedKeys: `[total, Hkv, D]`.
  ///   - values: `[total, Hkv, Dv]`.
  ///   - lengths: one a sequence, 0 or more, that add up to at most `total`.
  public init(
    packedKeys: some KeyValueTensor, values: some KeyValueTensor, lengths: [Int]
  ) {
    var starts: [Int] = []
    starts.reserveCapacity(lengths.count)
    var end = 0
    for length in lengths {
      starts.append(end)
      // Sums that overflow are refused by the call.
      end &+= length
    }
    storage = .packed(
      Packed(keys: packedKeys.stored, values: values.stored, lengths: lengths, starts: starts))
  }

  /// A paged cache: position `j` of sequence `b` is row `j % pageSize` of page `pageTable[b, j / pageSize]`.
  ///
  /// Pages and their table are read where they lie.
  /// - Parameters:
  ///   - keyPages: `[pages, pageSize, Hkv, D]`, as vLLM lays them out.
  ///   - valuePages: `[pages, pageSize, Hkv, Dv]`.
  ///   - pageTable: `[B, pages of a sequence]`; entries past a sequence's length are never looked at.
  ///   - lengths: how many positions of each sequence are in use.
  public init(
    keyPages: some KeyValueTensor, valuePages: some KeyValueTensor,
    pageTable: Tensor<Int32>, lengths: [Int]
  ) {
    storage = .pages(
      Pages(
        keys: keyPages.stored, values: valuePages.stored, table: pageTable, lengths: lengths))
  }

  /// Parts that follow each other along the keys' axis: attention over them is, bit for bit, attention over their concatenation.
  ///
  /// A prefix that all sequences share is `KeyValues(keys: prefix.broadcast(to: [B, Hkv, T, D]), …)`, which copies nothing. A part may be
  /// of any source. A sequence has as many keys as its lengths in all parts add up to. Tiles across the border of two parts are gathered in
  /// scratch, unless there are few queries.
  /// - Parameter parts: one at least, of equal `B`, `Hkv`, `D`, `Dv` and storage types.
  public init(joining parts: [KeyValues]) {
    storage = .joined(parts)
  }
}
