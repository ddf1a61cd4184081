import Tensors

/// The sizes of an attention problem, from shapes that fit each other.
struct ReferenceSizes {
  /// `B`
  let batch: Int
  /// `Hq`
  let queryHeads: Int
  /// `Hkv`
  let keyHeads: Int
  /// `Tq`
  let queryCount: Int
  /// `Tk`
  let keyCount: Int
  /// `D`
  let width: Int
  /// `Dv`
  let valueWidth: Int

  /// - Precondition: `[B, Hq, Tq, D]`, `[B, Hkv, Tk, D]` and `[B, Hkv, Tk, Dv]` with `Hq` a multiple of `Hkv`.
  init(queries: Shape, keys: Shape, values: Shape) {
    precondition(queries.count == 4, "queries have shape \(queries), expected [B, Hq, Tq, D]")
    precondition(keys.count == 4, "keys have shape \(keys), expected [B, Hkv, Tk, D]")
    precondition(values.count == 4, "values have shape \(values), expected [B, Hkv, Tk, Dv]")
    precondition(
      keys[0] == queries[0] && keys[3] == queries[3],
      "keys \(keys) do not fit queries \(queries) in batch or width")
    precondition(
      values[0] == keys[0] && values[1] == keys[1] && values[2] == keys[2],
      "values \(values) do not fit keys \(keys) in batch, heads or length")
    precondition(
      keys[1] > 0 ? queries[1] % keys[1] == 0 : queries[1] == 0,
      "\(queries[1]) query heads do not share \(keys[1]) key heads evenly")
    batch = queries[0]
    queryHeads = queries[1]
    keyHeads = keys[1]
    queryCount = queries[2]
    keyCount = keys[2]
    width = queries[3]
    valueWidth = values[3]
  }
}
