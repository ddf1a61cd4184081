import Synchronization

/// Ranks that are threads of this process: for tests, and to see what a distributed call does without a cluster.
///
///     let outputs = try LocalCommunicator.run(ranks: 4) { communicator in … }
///
/// A rank whose body throws is lost: whoever waits for it, or would, throws ``DistributedError/lostRank(_:_:)``.
public struct LocalCommunicator: Communicator {
  /// The index of the thread.
  public let rank: Int
  private let group: LocalGroup

  /// How many threads there are.
  public var size: Int { group.size }

  /// Runs `body` on a thread for each rank and waits for all of them.
  ///
  /// - Parameters:
  ///   - ranks: 1 or more.
  ///   - timeout: how long a rank waits for another.
  ///   - body: what each rank does.
  /// - Returns: the results in the order of ranks.
  /// - Throws: the error of the first rank that lost itself, before those that missed it.
  public static func run<Result: Sendable>(
    ranks: Int, timeout: Duration = .seconds(60),
    _ body: @escaping @Sendable (LocalCommunicator) throws -> Result
  ) throws -> [Result] {
    precondition(ranks >= 1, "\(ranks) ranks")
    let group = LocalGroup(size: ranks, timeout: timeout)
    let ends = Mutex<[Swift.Result<Result, any Error>?]>(Array(repeating: nil, count: ranks))
    let shared = Shared(ends)
    let threads = (0..<ranks).map { rank in
      Companion {
        let end = Swift.Result { try body(LocalCommunicator(rank: rank, group: group)) }
        if case .failure(let error) = end { group.lose(rank, "\(error)") }
        shared.value.withLock { $0[rank] = end }
      }
    }
    for (rank, thread) in threads.enumerated() {
      guard let thread else {
        group.lose(rank, "the system has no thread for it")
        continue
      }
      thread.join()
    }
    let results = shared.value.withLock { $0 }
    if let first = group.firstLost, case .failure(let error)? = results[first] { throw error }
    return try results.enumerated().map { rank, end in
      guard let end else { throw DistributedError.lostRank(rank, "the system has no thread for it") }
      return try end.get()
    }
  }

  /// Sends within the process.
  public func beginSend(
    _ bytes: UnsafeRawBufferPointer, to rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer {
    group.begin(.send(bytes), LocalGroup.Route(source: self.rank, destination: rank), peer: rank, owner)
  }

  /// Receives within the process.
  public func beginReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer {
    group.begin(.receive(bytes), LocalGroup.Route(source: rank, destination: self.rank), peer: rank, owner)
  }

  /// A message to each rank.
  public func allGather(
    _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, keeping owner: any Sendable
  ) throws(DistributedError) {
    try gatherByMessages(bytes, into: all, keeping: owner)
  }
}

/// A lock that closures share.
private final class Shared<Value: ~Copyable & Sendable>: Sendable {
  let value: Value
  init(_ value: consuming Value) { self.value = value }
}

/// The messages between the threads of a group, by who sends to whom, in the order in which they were begun.
private final class LocalGroup: Sendable {
  struct Route: Hashable {
    let source: Int
    let destination: Int
  }

  enum Side {
    case send(UnsafeRawBufferPointer)
    case receive(UnsafeMutableRawBufferPointer)
  }

  private struct State {
    var waiting: [Route: [LocalTransfer]] = [:]
    var lost: [(rank: Int, text: String)] = []
  }

  let size: Int
  let timeout: Duration
  private let state = Mutex(State())

  init(size: Int, timeout: Duration) { (self.size, self.timeout) = (size, timeout) }

  var firstLost: Int? { state.withLock { $0.lost.first?.rank } }

  func lose(_ rank: Int, _ text: String) { state.withLock { $0.lost.append((rank, text)) } }

  func lossOf(_ rank: Int) -> String? { state.withLock { $0.lost.first { $0.rank == rank }?.text } }

  /// Meets the other side if it waits, else waits for it.
  func begin(_ side: Side, _ route: Route, peer: Int, _ owner: any Sendable) -> LocalTransfer {
    precondition((0..<size).contains(peer), "rank \(peer) of \(size)")
    let transfer = LocalTransfer(side, self, peer: peer, owner)
    state.withLock { state in
      if let other = state.waiting[route]?.first, other.isSend != transfer.isSend {
        state.waiting[route]?.removeFirst()
        transfer.meet(other)
      } else {
        state.waiting[route, default: []].append(transfer)
      }
    }
    return transfer
  }
}

/// `@unchecked`: the memory is the beginner's until the transfer has ended, and is touched once, under the group's lock; the rest is immutable
/// or atomic.
private final class LocalTransfer: Transfer, @unchecked Sendable {
  private let side: LocalGroup.Side
  private let group: LocalGroup
  private let peer: Int
  /// The group holds what waits, and so its memory.
  private let owner: any Sendable
  /// 0 while under way, 1 where the bytes have come, 2 where lengths differ.
  private let outcome = Atomic<Int>(0)
  private let otherCount = Atomic<Int>(0)

  init(_ side: LocalGroup.Side, _ group: LocalGroup, peer: Int, _ owner: any Sendable) {
    (self.side, self.group, self.peer, self.owner) = (side, group, peer, owner)
  }

  var isSend: Bool { if case .send = side { true } else { false } }

  private var count: Int {
    switch side {
    case .send(let bytes): bytes.count
    case .receive(let bytes): bytes.count
    }
  }

  func meet(_ other: LocalTransfer) {
    switch (side, other.side) {
    case (.send(let source), .receive(let target)), (.receive(let target), .send(let source)):
      if source.count == target.count { target.copyMemory(from: source) }
    case (.send, .send), (.receive, .receive): preconditionFailure("two sends or receives meet")
    }
    let outcome = count == other.count ? 1 : 2
    for (one, another) in [(self, other), (other, self)] {
      one.otherCount.store(another.count, ordering: .relaxed)
      one.outcome.store(outcome, ordering: .releasing)
    }
  }

  func wait() throws(DistributedError) {
    let ended = try Patience(limit: group.timeout).wait { (_) throws(DistributedError) in
      if self.outcome.load(ordering: .acquiring) != 0 { return true }
      if let text = self.group.lossOf(self.peer) { throw .lostRank(self.peer, "it has ended: \(text)") }
      return false
    }
    guard ended else { throw .lostRank(peer, "no answer for \(group.timeout)") }
    if outcome.load(ordering: .acquiring) == 2 {
      throw .transfer(
        rank: peer,
        "\(count) bytes \(isSend ? "sent" : "expected"), \(otherCount.load(ordering: .relaxed)) on the other side"
      )
    }
  }
}
