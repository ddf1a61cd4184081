/// A token that may come next.
struct Candidate {
  let token: Int
  let logit: Float

  /// Whether it comes before another: the larger logit first, of equal ones the lower token.
  func precedes(_ other: Candidate) -> Bool {
    logit != other.logit ? logit > other.logit : token < other.token
  }
}

/// A binary heap of candidates, in memory that is kept from token to token.
///
/// Selecting a few of a vocabulary costs a comparison a token and a logarithm for each that is kept, where sorting all costs a logarithm
/// for each token.
struct CandidateHeap {
  private(set) var items: [Candidate] = []
  /// What is on top: the first in order, or the last.
  private let firstOnTop: Bool

  init(firstOnTop: Bool) { self.firstOnTop = firstOnTop }

  /// All of some candidates; linear time.
  init(firstOnTop: Bool, _ items: [Candidate]) {
    self.firstOnTop = firstOnTop
    self.items = items
    for index in stride(from: items.count / 2 - 1, through: 0, by: -1) { sink(index) }
  }

  private func isAbove(_ a: Candidate, _ b: Candidate) -> Bool {
    firstOnTop ? a.precedes(b) : b.precedes(a)
  }

  mutating func push(_ item: Candidate) {
    items.append(item)
    var index = items.count - 1
    while index > 0, isAbove(items[index], items[(index - 1) / 2]) {
      items.swapAt(index, (index - 1) / 2)
      index = (index - 1) / 2
    }
  }

  mutating func replaceTop(_ item: Candidate) {
    items[0] = item
    sink(0)
  }

  mutating func pop() -> Candidate? {
    guard let top = items.first, let last = items.popLast() else { return nil }
    if !items.isEmpty { replaceTop(last) }
    return top
  }

  private mutating func sink(_ start: Int) {
    var index = start
    while true {
      var top = index
      for child in [2 * index + 1, 2 * index + 2] where child < items.count {
        if isAbove(items[child], items[top]) { top = child }
      }
      if top == index { return }
      items.swapAt(index, top)
      index = top
    }
  }
}

/// The `count` largest logits with their tokens, the largest first, of equal ones the lower token first.
///
/// - Parameter logits: without NaN.
func largest(_ count: Int, of logits: some Sequence<Float>) -> [Candidate] {
  // The last of those that are kept is on top, so that most tokens cost one comparison.
  var kept = CandidateHeap(firstOnTop: false)
  guard count > 0 else { return [] }
  for (token, logit) in logits.enumerated() {
    let candidate = Candidate(token: token, logit: logit)
    if kept.items.count < count {
      kept.push(candidate)
    } else if candidate.precedes(kept.items[0]) {
      kept.replaceTop(candidate)
    }
  }
  return kept.items.sorted { $0.precedes($1) }
}
