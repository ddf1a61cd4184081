import Attention
import Llama

/// A request on its way: what it appends next, and what came back so far.
struct Request {
  let prompt: [Int]
  var sequence: KeyValueSequence?
  var next: [Int] = []
  var reply: [Int] = []
}

/// Answers requests by continuous batching: each step appends a prompt of some and a token of the others.
func answer(_ requests: inout [Request], length: Int, _ model: Llama, _ pool: KeyValuePool) throws {
  var waiting = Array(requests.indices)
  var active: [Int] = []
  while !waiting.isEmpty || !active.isEmpty {
    // Pages that active requests may still need come first.
    var free = pool.freePages - active.count * (length / pool.pageSize + 1)
    while let index = waiting.first {
      free -= (requests[index].prompt.count + length) / pool.pageSize + 1
      if free < 0 && !active.isEmpty { break }
      // Whole pages of a prompt that the pool knows are not computed again.
      let prompt = requests[index].prompt
      let sequence = pool.makeSequence(reusing: prompt.dropLast())
      requests[index].next = Array(prompt[sequence.count...])
      requests[index].sequence = sequence
      active.append(waiting.removeFirst())
    }
    let tokens = active.map { requests[$0].next }
    let step = try KeyValueStep(active.map { requests[$0].sequence! }, appending: tokens)
    let logits = try model(tokens, step)
    try step.commit()
    var row = -1
    for (index, appended) in zip(active, tokens) {
      row += appended.count
      requests[index].next = [mostLikely(logits, row: row)]
      requests[index].reply += requests[index].next
      if requests[index].reply.count == length { requests[index].sequence = nil }
    }
    active.removeAll { requests[$0].sequence == nil }
  }
}
