// What a step takes from the pool, and how it ends. All of it under the lock.

/// What a step has of one sequence.
struct Reservation: Sendable {
  /// What the step writes to and its view reads: the sequence's own list, or one that takes its place.
  var list: PageList
  let rows: Int
  let slots: SlotRanges
  /// Pages of the sequence's list before the step.
  let pagesBefore: Int
  let claimedBefore: Int
  let newPages: Int
  /// Pages that are copied before they are written, because somebody else sees their rows.
  var copies = 0
  /// A page of which rows were claimed in place, and what of it had been before.
  var claim: (page: Int32, before: Int32, after: Int32)?

  var pagesNeeded: Int { newPages + copies }
}

/// Rows to copy once the lock is free.
struct PageCopy: Sendable {
  let source: Int32
  let target: Int32
  let rows: Int
}

extension PageLedger {
  /// Says what an append takes, and claims rows of pages that stay in place. Changes nothing else; ``withdraw(_:)`` undoes it.
  func plan(_ state: KeyValueSequence.State, appending rows: Int) -> Reservation {
    let list = state.list
    let slots = SlotRanges(from: state.count, appending: rows, ring: state.ring)
    let pagesAfter = max(list.count, rows == 0 ? 0 : pages(of: slots.first.upperBound))
    var plan = Reservation(
      list: list, rows: rows, slots: slots, pagesBefore: list.count, claimedBefore: list.claimed,
      newPages: pagesAfter - list.count)
    var touched = 0
    var mustCopy = false
    slots.forEachPage(below: list.count, pageSize: pageSize) { index, rows, _ in
      let page = list.entries[index]
      let record = records + Int(page)
      let written = record.pointee.written
      if rows.lowerBound < written {
        // Nobody else has the page, and no view of this list sees these rows.
        let isOwn =
          record.pointee.references == 1 && !record.pointee.prefix.isRegistered
          && index * pageSize + rows.lowerBound >= list.seen
        if !isOwn { mustCopy = true }
        // A ring's old rows are wanted while the step is open, should another page have to be copied.
        if !isOwn || state.ring != nil { return touched += 1 }
      }
      plan.claim = (page, written, Int32(rows.upperBound))
      record.pointee.written = Int32(rows.upperBound)
    }
    if mustCopy { plan.copies = touched }
    return plan
  }

  func withdraw(_ plan: Reservation) {
    if let claim = plan.claim { records[Int(claim.page)].written = claim.before }
  }

  /// Takes the pages of a plan.
  ///
  /// - Precondition: as many as it needs are ``available``.
  func carryOut(
    _ plan: inout Reservation, _ state: KeyValueSequence.State, _ copies: inout [PageCopy]
  ) {
    let own = plan.list
    let pagesAfter = plan.pagesBefore + plan.newPages
    let capacity =
      pagesAfter <= own.capacity ? own.capacity : max(pagesAfter, 2 * own.capacity)
    if plan.copies > 0 {
      plan.list = replacement(of: own, plan, state, capacity: capacity, &copies)
    } else if capacity > own.capacity {
      if own.viewers == 0 {
        own.grow(to: capacity)
      } else {
        plan.list = copy(own, pages: own.count, capacity: capacity)
      }
    }
    if state.ring != nil, plan.copies == 0 {
      plan.slots.forEachPage(below: plan.pagesBefore, pageSize: pageSize) { index, rows, _ in
        let record = records + Int(own.entries[index])
        record.pointee.written = max(record.pointee.written, Int32(rows.upperBound))
      }
    }
    for index in plan.pagesBefore..<pagesAfter {
      let end = plan.slots.first.upperBound - index * pageSize
      plan.list.append(take(written: min(pageSize, end)))
    }
    plan.list.claimed = max(plan.list.claimed, state.count + plan.rows)
  }

  /// A list with copies of those pages that must not be written where they are.
  private func replacement(
    of list: PageList, _ plan: Reservation, _ state: KeyValueSequence.State, capacity: Int,
    _ copies: inout [PageCopy]
  ) -> PageList {
    let fresh = PageList(capacity: capacity)
    fresh.claimed = list.claimed
    // Rows that somebody may still want: all of a ring's, also those that left its window and that a truncation may bring back.
    let used = state.ring.map { min(list.claimed, $0.capacity) } ?? state.count
    var next = 0
    func share(upTo end: Int) {
      while next < end {
        retain(list.entries[next])
        fresh.append(list.entries[next])
        next += 1
      }
    }
    // In the order of the pages, which is not that of the slots where a ring wraps.
    var touched: [(index: Int, rows: Range<Int>, isWhole: Bool)] = []
    plan.slots.forEachPage(below: list.count, pageSize: pageSize) { index, rows, isWhole in
      if plan.claim?.page != list.entries[index] { touched.append((index, rows, isWhole)) }
    }
    touched.sort { $0.index < $1.index }
    for (index, rows, isWhole) in touched {
      share(upTo: index)
      let source = list.entries[index]
      let old = min(pageSize, max(0, used - index * pageSize))
      let page = take(written: max(old, rows.upperBound))
      fresh.append(page)
      next += 1
      let isOverwritten = isWhole && rows.lowerBound == 0 && rows.upperBound >= old
      if old > 0, !isOverwritten { copies.append(PageCopy(source: source, target: page, rows: old)) }
    }
    share(upTo: list.count)
    return fresh
  }

  /// Ends a reservation as if it had not been: the sequence's list is as before.
  func giveBack(_ reservation: Reservation, _ state: inout KeyValueSequence.State) {
    let list = reservation.list
    if list !== state.list {
      release(list)
      if let claim = reservation.claim, records[Int(claim.page)].written == claim.after {
        // The list that is gone may have views, which see what was written.
        if list.holders == 0 { records[Int(claim.page)].written = claim.before }
      }
      return
    }
    let rows = state.ring.map { min(state.count, $0.capacity) } ?? state.count
    let isSeen = list.seen > rows
    state.list = shorten(list, toPages: reservation.pagesBefore, rows: rows)
    if let claim = reservation.claim, !isSeen, records[Int(claim.page)].written == claim.after {
      records[Int(claim.page)].written = claim.before
    }
    // A ring that wrapped has lost what was overwritten, whoever saw it.
    if let ring = state.ring, state.list.claimed <= ring.capacity {
      state.list.claimed = reservation.claimedBefore
    }
  }
}

// MARK: - Whole steps

/// What a step got.
struct Reserved: Sendable {
  var reservations: [Reservation]
  var copies: [PageCopy] = []
}

extension PageLedger {
  /// Reserves what all sequences of a step append, or throws and leaves everything as it was.
  ///
  /// - Parameter rows: room for what the view sees of each sequence; initialised where this returns.
  func reserve(
    _ sequences: [KeyValueSequence], _ counts: [Int], _ rows: UnsafeMutablePointer<SequenceRows>,
    for step: UnsafeRawPointer
  ) throws(AttentionError) -> Reserved {
    try withLock { () throws(AttentionError) in
      var reserved = Reserved(reservations: [])
      reserved.reservations.reserveCapacity(sequences.count)
      var needed = 0
      do throws(AttentionError) {
        for (index, sequence) in sequences.enumerated() {
          try check(sequence, index, appending: counts[index], step)
          sequence.openStep = step
          let plan = plan(sequence.state, appending: counts[index])
          reserved.reservations.append(plan)
          needed += plan.pagesNeeded
        }
        guard needed <= available else {
          throw AttentionError(
            .outOfMemory, "pages",
            "\(needed) pages needed and \(available) of \(pageCount) free, expected at least as many free")
        }
      } catch {
        for (index, plan) in reserved.reservations.enumerated().reversed() {
          withdraw(plan)
          sequences[index].openStep = nil
        }
        throw error
      }
      for (index, sequence) in sequences.enumerated() {
        carryOut(&reserved.reservations[index], sequence.state, &reserved.copies)
        let seen = sequence.state.rows(
          reserved.reservations[index].list, pageSize: pageSize, appending: counts[index])
        (rows + index).initialize(to: seen)
      }
      return reserved
    }
  }

  private func check(
    _ sequence: KeyValueSequence, _ index: Int, appending count: Int, _ step: UnsafeRawPointer
  ) throws(AttentionError) {
    if let open = sequence.openStep {
      throw AttentionError(
        "sequences",
        open == step
          ? "sequence \(index) given twice, expected each once"
          : "sequence \(index) with an open step given, expected that committed or dropped")
    }
    let state = sequence.state
    if let ring = state.ring, count > ring.longestAppend {
      throw AttentionError(
        "appending",
        "\(count) tokens to sequence \(index) given, expected at most its ring's longest append, \(ring.longestAppend)"
      )
    }
    let most = state.ring == nil ? CacheLayout.mostRows : CacheLayout.mostPositions
    guard count <= most - state.count else {
      throw AttentionError(
        "appending",
        "\(count) tokens to the \(state.count) of sequence \(index) given, expected at most \(most) in all")
    }
  }

  /// Makes a reservation part of its sequence.
  func commit(_ reservation: Reservation, _ tokens: [Int]?, _ state: inout KeyValueSequence.State) {
    if reservation.list !== state.list {
      release(state.list)
      state.list = reservation.list
    }
    if let tokens, state.ring == nil, state.tokens.count == state.count { state.tokens += tokens }
    state.count += reservation.rows
    if state.ring == nil { register(state.list, state.tokens, rows: state.count, &state.chain) }
  }
}
