/// Timings of contenders that take turns, so that a machine that slows down slows all of them down.
///
/// In a round each contender is called until ``batchSeconds`` have passed, at least once, and the round counts the mean of
/// those calls. Where calls are short, one untimed call goes before: it wakes threads that went to sleep and brings back what
/// the other contender pushed out of the caches. Every second round runs in the opposite order.
///
/// A contender gets rounds until its median is known to ``enoughPercent``, or until its time is over.
package struct Rounds {
  /// No round starts for a contender that has been timed for longer, once it has had ``minimum`` rounds.
  package var secondsEach = 1.0
  /// Rounds that every contender gets, unless a single call takes longer than ``secondsEach``: then only what is compared gets any,
  /// ``leastRounds(callSeconds:)``. Nine are the fewest whose median's interval
  /// leaves out the outermost ones, and the fewest that google-benchmark's rank test takes for enough.
  package var minimum = 9
  /// Rounds that no contender exceeds.
  package var maximum = 101
  /// A contender gets no more rounds once half the width of its median's interval is at most this many percent of the median.
  package var enoughPercent = Precision.widestPercent
  /// How long a contender's turn lasts at least. What takes less runs once untimed before, and then repeats: 20 ms are many
  /// times what it takes to refill a last-level cache that the contender before has used.
  package var batchSeconds = 0.02
  /// Seconds that only ever grow.
  package var clock: () -> Double = Stopwatch.seconds
  /// Asked before every turn; once it says yes, no other turn begins.
  package var isInterrupted: () -> Bool = { false }

  /// The default effort, or a shorter one for a quick look.
  package init(quick: Bool = false) {
    if quick {
      secondsEach = 0.25
      minimum = 3
      maximum = 41
    }
  }

  /// One turn a round, for each contender in order; none for one that was interrupted before it had any.
  ///
  /// - Throws: what a contender throws.
  package func measure(_ contenders: [Contender]) throws -> [[Turn]] {
    try outcomes(contenders).map { try $0.get() }
  }

  /// One turn a round, for each contender in order; or what it threw, after which it gets no turn, and the others go on.
  package func outcomes(_ contenders: [Contender]) -> [Result<[Turn], any Error>] {
    var states: [Result<State?, any Error>] = contenders.map { contender in
      Result { isInterrupted() ? nil : try warmUp(contender) }
    }
    for round in 0..<maximum {
      let order = round.isMultiple(of: 2) ? Array(states.indices) : states.indices.reversed()
      var isDone = true
      for index in order {
        guard case .success(var state?) = states[index], wantsRound(state, contenders[index]),
          !isInterrupted()
        else { continue }
        isDone = false
        states[index] = Result {
          try runRound(contenders[index], &state)
          return state
        }
      }
      if isDone { break }
    }
    // What takes so long that it got no round was measured by its first call.
    return states.map { outcome in
      outcome.map { state in
        guard let state else { return [] }
        guard state.turns.isEmpty, state.callSeconds > secondsEach else { return state.turns }
        return state.firstCall.map { [$0] } ?? []
      }
    }
  }

  /// Rounds that are enough to compare what takes longer than ``secondsEach``: the fewest whose median has an interval, and one of
  /// what takes many seconds.
  package func leastRounds(callSeconds: Double) -> Int {
    callSeconds > 4 ? 1 : min(MedianInterval.fewestSamples, minimum)
  }

  private struct State {
    /// nil where no call was timed yet.
    let firstCall: Turn?
    var callSeconds: Double
    var turns: [Turn] = []
    var spent = 0.0
  }

  /// Two calls where that is affordable: the first one also pays for fresh pages and for what is set up once.
  private func warmUp(_ contender: Contender) throws -> State {
    switch contender.start {
    case .cold: break
    case .timed(let known): return State(firstCall: known, callSeconds: known.seconds)
    case .elsewhere(let callSeconds): return State(firstCall: nil, callSeconds: callSeconds)
    }
    let first = try contender.turn(0, clock)
    let second = first.seconds < secondsEach / 2 ? try contender.turn(0, clock) : first
    return State(firstCall: first, callSeconds: min(first.seconds, second.seconds))
  }

  private func wantsRound(_ state: State, _ contender: Contender) -> Bool {
    if state.callSeconds > secondsEach {
      return contender.isCompared && state.turns.count < leastRounds(callSeconds: state.callSeconds)
    }
    if state.turns.count < minimum { return true }
    let percent = MedianInterval(state.turns.map(\.seconds))?.halfWidthPercent ?? .infinity
    return percent > enoughPercent && state.spent < secondsEach
  }

  private func runRound(_ contender: Contender, _ state: inout State) throws {
    let isWarmed =
      switch contender.start {
      case .cold, .timed: contender.isCompared || state.callSeconds < batchSeconds
      case .elsewhere: false
      }
    if isWarmed { _ = try contender.turn(0, clock) }
    let turn = try contender.turn(batchSeconds, clock)
    state.turns.append(turn)
    state.spent += turn.seconds * Double(turn.calls)
  }
}
