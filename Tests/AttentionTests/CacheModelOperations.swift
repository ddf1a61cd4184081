import Attention
import TestSupport

extension CacheModel {
  /// One operation, drawn at random.
  func operate() {
    let draw = random.int(0...99)
    switch draw {
    case 0..<8: make()
    case 8..<13: drop()
    case 13..<55: step()
    case 55..<62: fork()
    case 62..<72: truncate()
    case 72..<76: reorder()
    case 76..<78: reset()
    case 78..<84: if let entry = pick() { hold(view(of: entry)) }
    case 84..<92: letGo()
    case 92..<96: match()
    default: misuse()
    }
    if entries.count > 12 { drop() }
    if held.count > 8 { letGo() }
  }

  /// Ends all; what is held must be right to the end.
  func finish() {
    while !held.isEmpty { letGo() }
    for entry in entries { check(view(of: entry)) }
    entries = []
  }

  private func count(_ what: String) { counts[what, default: 0] += 1 }

  private func pick() -> Entry? { entries.isEmpty ? nil : random.pick(entries) }

  private func hold(_ view: Held) { held.append(view) }

  private func letGo() {
    if held.isEmpty { return }
    check(held.remove(at: random.int(0...held.count - 1)))
  }

  private func drop() {
    if entries.isEmpty { return }
    let entry = entries.remove(at: random.int(0...entries.count - 1))
    if random.chance(30) { check(view(of: entry)) }
    expect(entry.sequence.count == entry.stamps.count, "count \(entry.sequence.count)")
    if entry.ring == nil {
      expect(
        entry.sequence.tokens == entry.tokens,
        "tokens \(String(describing: entry.sequence.tokens)), not \(String(describing: entry.tokens))")
    }
  }

  /// Prompts start alike more often than not.
  private func prompt() -> [Int] {
    let kind = random.int(0...3)
    let common = random.int(0...30)
    return (0..<random.int(1...40)).map { $0 < common ? 1000 * kind + $0 : random.int(0...3) }
  }

  private func make() {
    if random.chance(20) {
      let ring = Ring(window: random.int(0...12), kept: random.int(0...5), longestAppend: random.int(1...9))
      guard
        let sequence = try? pool.makeSequence(
          window: ring.window, keepingFirst: ring.kept, longestAppend: ring.longestAppend)
      else { return fail("no ring") }
      let entry = Entry(sequence)
      entry.ring = ring
      entries.append(entry)
    } else if random.chance(50) {
      entries.append(Entry(pool.makeSequence()))
    } else {
      let tokens = prompt()
      let entry = Entry(pool.makeSequence(reusing: tokens))
      append(tokens.prefix(entry.sequence.count), to: entry)
      if !entry.stamps.isEmpty { count("reused") }
      entries.append(entry)
      if random.chance(50) { check(view(of: entry)) }
    }
  }

  private func append(_ tokens: some Sequence<Int>, to entry: Entry) {
    for token in tokens {
      entry.stamps.append(Self.next(entry.stamps.last ?? 1, token))
      entry.tokens?.append(token)
    }
  }

  private func match() {
    let tokens = prompt()
    let matched = pool.match(tokens)
    expect(matched % pool.pageSize == 0 && matched <= tokens.count, "\(matched) matched of \(tokens.count)")
    if matched > 0 { count("matched") }
  }

  private func fork() {
    guard let entry = pick() else { return }
    guard let sequence = try? entry.sequence.fork() else { return fail("no fork") }
    let copy = Entry(sequence)
    (copy.stamps, copy.tokens, copy.ring) = (entry.stamps, entry.tokens, entry.ring)
    entries.append(copy)
    count("forked")
  }

  private func truncate() {
    guard let entry = pick() else { return }
    let before = entry.stamps.count
    let count = random.chance(70) ? max(0, before - random.int(0...6)) : random.int(0...before)
    do throws(AttentionError) {
      try entry.sequence.truncate(to: count)
    } catch {
      guard let ring = entry.ring else { return fail("\(error)") }
      let oldest = ring.claimed - ring.turning(pageSize: pool.pageSize)
      self.count("ring not truncated")
      return expect(max(ring.kept, count - ring.window) < oldest, "\(error)")
    }
    entry.stamps.removeLast(before - count)
    cutTokens(entry, count)
    if let ring = entry.ring, count == 0 || ring.claimed <= ring.turning(pageSize: pool.pageSize) + ring.kept
    {
      entry.ring?.claimed = count
    }
    if random.chance(50) { check(view(of: entry)) }
  }

  /// Ids that are not known end where a truncation takes them away; the model then stops to say.
  private func cutTokens(_ entry: Entry, _ count: Int) {
    if var tokens = entry.tokens {
      tokens.removeLast(tokens.count - count)
      entry.tokens = tokens
    } else {
      entry.tokens = entry.sequence.tokens
    }
  }

  private func reset() {
    guard let entry = pick() else { return }
    guard (try? entry.sequence.reset()) != nil else { return fail("no reset") }
    entry.stamps = []
    entry.tokens = []
    entry.ring?.claimed = 0
    expect(entry.sequence.count == 0, "\(entry.sequence.count) rows after a reset")
  }

  private func reorder() {
    let beams = choose(random.int(1...4))
    if beams.isEmpty { return }
    let parents = beams.map { _ in random.int(0...beams.count - 1) }
    guard (try? KeyValueSequence.reorder(beams.map(\.sequence), by: parents)) != nil else {
      return fail("not reordered")
    }
    let before = beams.map { ($0.stamps, $0.tokens, $0.ring) }
    for (beam, parent) in zip(beams, parents) { (beam.stamps, beam.tokens, beam.ring) = before[parent] }
    for beam in beams where random.chance(30) { check(view(of: beam)) }
    count("reordered")
  }

  /// Some entries, each once.
  private func choose(_ most: Int) -> [Entry] {
    var chosen: [Entry] = []
    for _ in 0..<most {
      if let entry = pick(), !chosen.contains(where: { $0 === entry }) { chosen.append(entry) }
    }
    return chosen
  }
}

// MARK: - Steps

extension CacheModel {
  private func step() {
    let chosen = choose(random.int(1...4))
    if chosen.isEmpty { return }
    let isKnown = random.chance(80)
    let appended = chosen.map { entry -> [Int] in
      var tokens = random.chance(60) ? [random.int(0...3)] : Array(prompt().prefix(random.int(0...25)))
      if let ring = entry.ring { tokens = Array(tokens.prefix(ring.longestAppend)) }
      return isKnown ? tokens : tokens.map { _ in unknownToken() }
    }
    let free = isAlone ? pool.freePages : 0
    let step: KeyValueStep
    do throws(AttentionError) {
      step =
        isKnown
        ? try KeyValueStep(chosen.map(\.sequence), appending: appended)
        : try KeyValueStep(chosen.map(\.sequence), appending: appended.map(\.count))
    } catch {
      count("exhausted")
      if isAlone {
        expect(pool.freePages == free, "\(pool.freePages) pages free after a failure, \(free) before")
      }
      for entry in chosen { expect(entry.sequence.count == entry.stamps.count, "a count after a failure") }
      return expect(error.kind == .outOfMemory, "\(error)")
    }
    let after = zip(chosen, appended).map { entry, tokens in
      tokens.reduce(into: entry.stamps) { $0.append(Self.next($0.last ?? 1, $1)) }
    }
    run(step, chosen, appended, after, isKnown: isKnown, free: free)
  }

  private func run(
    _ step: KeyValueStep, _ chosen: [Entry], _ appended: [[Int]], _ after: [[UInt64]], isKnown: Bool,
    free: Int
  ) {
    let packed = zip(chosen, after).flatMap { $1.suffix(from: $0.stamps.count) }
    for entry in chosen {
      if let ring = entry.ring {
        let rows = step.rowCount(chosen.firstIndex { $0 === entry } ?? 0)
        entry.ring?.claimed = max(ring.claimed, entry.stamps.count + rows)
      }
    }
    let isCommitted = random.chance(75)
    let layers = isCommitted ? Self.shape.layers : random.int(0...Self.shape.layers)
    do throws(AttentionError) {
      if random.chance(10) { try Self.write(step, layer: 0, packed.map { $0 &+ 1 }) }
      for layer in 0..<layers { try Self.write(step, layer: layer, packed) }
      let view = Held(
        view: try step.view, rows: zip(chosen, after).map { Self.visible($0, $1, from: $0.stamps.count) })
      if random.chance(40) { check(view, layers: 0..<layers) }
      if random.chance(isCommitted ? 20 : 10), layers == Self.shape.layers { hold(view) }
      guard isCommitted else {
        if random.chance(50) { step.cancel() }
        return count("dropped")
      }
      try step.commit()
    } catch { return fail("\(error)") }
    for (index, entry) in chosen.enumerated() {
      entry.stamps = after[index]
      if !isKnown, !appended[index].isEmpty {
        entry.tokens = nil
      } else {
        entry.tokens?.append(contentsOf: appended[index])
      }
      if random.chance(20) { check(view(of: entry)) }
    }
    count("committed")
  }

  /// Calls that must be refused, and change nothing.
  private func misuse() {
    guard let entry = pick() else { return }
    let sequence = entry.sequence
    let free = isAlone ? pool.freePages : 0
    do {
      let open = try? KeyValueStep([sequence], appending: [0])
      guard let open else { return fail("no step over no rows") }
      let refusals: [AttentionError?] = [
        refusal { () throws(AttentionError) in _ = try KeyValueStep([sequence], appending: [1]) },
        refusal { () throws(AttentionError) in _ = try sequence.fork() },
        refusal { () throws(AttentionError) in try sequence.reset() },
        refusal { () throws(AttentionError) in try KeyValueSequence.reorder([sequence], by: [0]) },
      ]
      expect(refusals.allSatisfy { $0 != nil }, "a call beside an open step went through")
      withExtendedLifetime(open) {}
    }
    expect(
      refusal { () throws(AttentionError) in try sequence.truncate(to: entry.stamps.count + 1) } != nil,
      "truncated up")
    expect(
      refusal { () throws(AttentionError) in _ = try KeyValueStep([sequence, sequence], appending: [1, 1]) }
        != nil, "twice")
    if isAlone {
      expect(pool.freePages == free, "\(pool.freePages) pages free after refusals, \(free) before")
    }
    check(view(of: entry))
  }
}
