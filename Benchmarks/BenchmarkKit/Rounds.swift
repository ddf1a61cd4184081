/// Something that can be timed against others: a name and one call.
package struct Contender {
  /// As the tables show it.
  package let name: String
  /// One call, complete: what it computes stays where a later check finds it.
  package let run: () throws -> Void
  /// Seconds of a call where one was timed already: then it needs no more warming up.
  package let knownSeconds: Double?
  /// Whether an untimed call begins each of its turns, however long calls take. For contenders that are compared with each other:
  /// else one whose calls are just below ``Rounds/batchSeconds`` would find warm caches and one just above it cold ones.
  package let isAlwaysWarm: Bool

  /// A contender of this name.
  package init(
    name: String, knownSeconds: Double? = nil, isAlwaysWarm: Bool = false, run: @escaping () throws -> Void
  ) {
    self.name = name
    self.knownSeconds = knownSeconds
    self.isAlwaysWarm = isAlwaysWarm
    self.run = run
  }
}

/// Timings of contenders that take turns, so that a machine that slows down slows all of them down.
///
/// In a round each contender is called until ``batchSeconds`` have passed, at least once, and the round counts the mean of
/// those calls. Where calls are short, one untimed call goes before: it wakes threads that went to sleep and brings back what
/// the other contender pushed out of the caches. Every second round runs in the opposite order.
package struct Rounds {
  /// No round starts for a contender that has been timed for longer, once it has had ``minimum`` rounds.
  package var secondsEach = 0.6
  /// Rounds that every contender gets, unless a single call takes longer than ``secondsEach``.
  package var minimum = 5
  /// Rounds that no contender exceeds.
  package var maximum = 101
  /// How long a contender's turn lasts at least. What takes less runs once untimed before, and then repeats: 20 ms are many
  /// times what it takes to refill a last-level cache that the contender before has used.
  package var batchSeconds = 0.02
  /// Seconds that only ever grow.
  package var clock: () -> Double = Stopwatch.seconds

  /// The default effort, or a shorter one for a quick look.
  package init(quick: Bool = false) {
    if quick {
      secondsEach = 0.25
      minimum = 3
      maximum = 41
    }
  }

  /// Seconds a call, one sample a round, for each contender in order.
  ///
  /// - Throws: what a contender throws.
  package func measure(_ contenders: [Contender]) throws -> [[Double]] {
    var states = try contenders.map { try warmUp($0) }
    for round in 0..<maximum {
      let order = round.isMultiple(of: 2) ? Array(states.indices) : states.indices.reversed()
      var isDone = true
      for index in order where wantsRound(states[index]) {
        isDone = false
        try runRound(contenders[index], &states[index])
      }
      if isDone { break }
    }
    // What takes so long that it got no round was measured by its first call.
    return states.map { $0.samples.isEmpty ? [$0.firstCall] : $0.samples }
  }

  private struct State {
    let firstCall: Double
    var callSeconds: Double
    var samples: [Double] = []
    var spent = 0.0
  }

  /// Two calls where that is affordable: the first one also pays for fresh pages and for what is set up once.
  private func warmUp(_ contender: Contender) throws -> State {
    if let known = contender.knownSeconds { return State(firstCall: known, callSeconds: known) }
    let first = try time(contender)
    let second = first < secondsEach / 2 ? try time(contender) : first
    return State(firstCall: first, callSeconds: min(first, second))
  }

  private func wantsRound(_ state: State) -> Bool {
    if state.callSeconds > secondsEach { return false }
    return state.samples.count < minimum || state.spent < secondsEach
  }

  private func runRound(_ contender: Contender, _ state: inout State) throws {
    if state.callSeconds < batchSeconds || contender.isAlwaysWarm { try contender.run() }
    let start = clock()
    var calls = 0
    var elapsed = 0.0
    repeat {
      try contender.run()
      calls += 1
      elapsed = clock() - start
    } while elapsed < batchSeconds
    state.samples.append(elapsed / Double(calls))
    state.spent += elapsed
  }

  private func time(_ contender: Contender) throws -> Double {
    let start = clock()
    try contender.run()
    return clock() - start
  }
}

/// The time since some moment before the first question.
package enum Stopwatch {
  private static let epoch = ContinuousClock.Instant.now

  /// Seconds that only ever grow.
  package static func seconds() -> Double {
    let elapsed = (ContinuousClock.Instant.now - epoch).components
    return Double(elapsed.seconds) + 1e-18 * Double(elapsed.attoseconds)
  }
}
