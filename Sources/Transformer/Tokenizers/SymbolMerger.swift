/// A stretch of a word that is one token so far; `token` is -1 where none stands for it.
struct Symbol {
  var token: Int
  var start: Int
  var end: Int
}

/// What two neighbouring symbols may become: the lower the rank, the earlier.
struct Merge {
  let rank: UInt32
  let token: Int
}

/// Which neighbours may be merged: by a list of pairs, or by the score of what they become.
protocol MergeRule {
  func merge(_ left: Symbol, _ right: Symbol, in bytes: [UInt8]) -> Merge?
}

/// Merges the symbols of a word, lowest rank first and leftmost among equals, until no neighbours can be merged.
///
/// It keeps its arrays between words. Short words are searched for the lowest rank anew at each step, in n² steps
/// of a few instructions; long ones use a heap, in n log n, so that a megabyte of one letter is no trap.
struct SymbolMerger {
  /// Above this many symbols the heap's log n beats the scan's n. Words of English text have 3 to 12 symbols.
  static let longestScanned = 40

  var symbols: [Symbol] = []
  private var candidates: [Merge?] = []
  private var heap = MergeHeap()
  private var next: [Int] = []
  private var previous: [Int] = []

  mutating func run(_ rule: some MergeRule, in bytes: [UInt8]) {
    guard symbols.count > 1 else { return }
    if symbols.count <= Self.longestScanned { scan(rule, bytes) } else { drain(rule, bytes) }
  }

  private mutating func scan(_ rule: some MergeRule, _ bytes: [UInt8]) {
    candidates.removeAll(keepingCapacity: true)
    for index in 1..<symbols.count {
      candidates.append(rule.merge(symbols[index - 1], symbols[index], in: bytes))
    }
    while true {
      var best = -1
      var rank = UInt32.max
      for (index, candidate) in candidates.enumerated() {
        if let candidate, best < 0 || candidate.rank < rank {
          best = index
          rank = candidate.rank
        }
      }
      guard best >= 0, let merge = candidates[best] else { return }
      symbols[best].token = merge.token
      symbols[best].end = symbols[best + 1].end
      symbols.remove(at: best + 1)
      candidates.remove(at: best)
      if best > 0 { candidates[best - 1] = rule.merge(symbols[best - 1], symbols[best], in: bytes) }
      if best < candidates.count {
        candidates[best] = rule.merge(symbols[best], symbols[best + 1], in: bytes)
      }
    }
  }

  private mutating func drain(_ rule: some MergeRule, _ bytes: [UInt8]) {
    let count = symbols.count
    next = Array(1...count)
    previous = Array(-1..<(count - 1))
    heap.removeAll()
    for index in 1..<count { offer(index - 1, index, rule, bytes) }
    while let entry = heap.popFirst() {
      let (left, right) = (entry.left, entry.right)
      // An entry is stale when either side has been merged since. A dead symbol has an empty range; a live left
      // side whose neighbour is still `right` has not grown, and `end` tells whether `right` has.
      guard symbols[left].end > symbols[left].start, next[left] == right, symbols[right].end == entry.end
      else { continue }
      symbols[left].token = entry.token
      symbols[left].end = entry.end
      symbols[right].end = symbols[right].start
      next[left] = next[right]
      if next[left] < count {
        previous[next[left]] = left
        offer(left, next[left], rule, bytes)
      }
      if previous[left] >= 0 { offer(previous[left], left, rule, bytes) }
    }
    symbols.removeAll { $0.end == $0.start }
  }

  private mutating func offer(_ left: Int, _ right: Int, _ rule: some MergeRule, _ bytes: [UInt8]) {
    guard let merge = rule.merge(symbols[left], symbols[right], in: bytes) else { return }
    heap.insert(
      MergeHeap.Entry(
        rank: merge.rank, left: left, right: right, end: symbols[right].end, token: merge.token))
  }
}
