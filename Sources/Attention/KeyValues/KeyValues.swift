/// The keys and values of a call, wherever they lie.
///
///     KeyValues(keys: k, values: v)                                      // [B, Hkv, Tk, D] and [B, Hkv, Tk, Dv]
///     KeyValues(joining: [prefix, suffix])                               // as if concatenated, without a copy
///     KeyValues(keyPages: kp, valuePages: vp, blockTable: table)         // a paged cache
///
/// A value of tensors: it shares their memory, and copies nothing but a block table.
public struct KeyValues<Element: AttentionElement>: Sendable {
  let storage: Storage

  enum Storage: Sendable {
    case part(Part)
    case parts([Part])
    case pages(Pages)
    /// A part that cannot be joined, which every call refuses.
    case pagedPart(Int)
  }

  struct Part: Sendable {
    let keys: Tensor<Element>
    let values: Tensor<Element>
  }

  struct Pages: Sendable {
    let keys: Tensor<Element>
    let values: Tensor<Element>
    let tableShape: Shape
    let table: [Int32]
  }

  /// Keys `[B, Hkv, Tk, D]` and values `[B, Hkv, Tk, Dv]` in any strides.
  public init(keys: Tensor<Element>, values: Tensor<Element>) {
    storage = .part(Part(keys: keys, values: values))
  }

  /// Parts that follow each other along the keys' axis, read where they lie: attention over them is attention over their
  /// concatenation. A prefix that all sequences share is `prefix.broadcast(to: [B, Hkv, T, D])`, which copies nothing.
  ///
  /// Tiles across the border of two parts are gathered in scratch, unless there are few queries; all others are read in place where one
  /// tensor's would be.
  /// - Parameter parts: one at least, of equal `B`, `Hkv`, `D` and `Dv`, none of them paged: attention throws otherwise.
  public init(joining parts: [KeyValues]) {
    var joined: [Part] = []
    for (index, part) in parts.enumerated() {
      switch part.storage {
      case .part(let one): joined.append(one)
      case .parts(let more): joined += more
      case .pages, .pagedPart:
        storage = .pagedPart(index)
        return
      }
    }
    storage = joined.count == 1 ? .part(joined[0]) : .parts(joined)
  }

  /// A paged cache: position `j` of sequence `b` is row `j % blockSize` of page `blockTable[b, j / blockSize]`.
  ///
  /// `Tk` is `blocks · blockSize`; a mask's ``AttentionMask/keyLengths(_:)`` say how many are in use. For few queries pages are read
  /// where they lie; for more, tiles are gathered in scratch, some hundred keys at a time.
  /// - Parameters:
  ///   - keyPages: `[numBlocks, blockSize, Hkv, D]`, as vLLM lays them out.
  ///   - valuePages: `[numBlocks, blockSize, Hkv, Dv]`.
  ///   - blockTable: `[B, blocks]`; entries past a sequence's length are never looked at.
  public init(keyPages: Tensor<Element>, valuePages: Tensor<Element>, blockTable: Tensor<Int32>) {
    storage = .pages(
      Pages(
        keys: keyPages, values: valuePages, tableShape: blockTable.shape, table: blockTable.elements))
  }
}
