import Attention
import DistributedAttention
import Testing

/// Messages between ranks that are threads, and what becomes of those that never come.
struct LocalCommunicatorTests {
  @Test(arguments: [1, 2, 5]) func everyRankHearsOfEachOther(_ ranks: Int) throws {
    let heard = try onRanks(ranks) { communicator in
      try communicator.allGather([UInt8(communicator.rank), 7])
    }
    #expect(heard == Array(repeating: (0..<ranks).flatMap { [UInt8($0), 7] }, count: ranks))
  }

  @Test func messagesComeInTheOrderInWhichTheyWereSent() throws {
    let sums = try onRanks(2) { communicator in
      let other = 1 - communicator.rank
      var rooms = [[UInt8]](repeating: [UInt8](repeating: 0, count: 3), count: 50)
      for number in 0..<50 {
        let bytes = [UInt8](repeating: UInt8(number), count: 3)
        try bytes.withUnsafeBytes { bytes in
          try rooms[number].withUnsafeMutableBytes { room in
            let transfers = [
              try communicator.beginReceive(room, from: other, keeping: ()),
              try communicator.beginSend(bytes, to: other, keeping: ()),
            ]
            for transfer in transfers { try transfer.wait() }
          }
        }
      }
      return rooms.map { $0[2] }
    }
    #expect(sums == Array(repeating: (0..<50).map { UInt8($0) }, count: 2))
  }

  @Test func anotherLengthIsAnError() throws {
    let errors = try onRanks(2) { communicator -> String in
      var room = [UInt8](repeating: 0, count: 4)
      let error = #expect(throws: DistributedError.self) {
        try room.withUnsafeMutableBytes { room in
          if communicator.rank == 0 {
            try communicator.beginSend(UnsafeRawBufferPointer(rebasing: room[0..<3]), to: 1, keeping: ())
              .wait()
          } else {
            try communicator.beginReceive(room, from: 0, keeping: ()).wait()
          }
        }
      }
      return "\(String(describing: error))"
    }
    #expect(errors[0].contains("3 bytes sent, 4 on the other side"))
    #expect(errors[1].contains("4 bytes expected, 3 on the other side"))
  }

  @Test func aRankThatStopsIsNamedInTime() throws {
    let ends = try LocalCommunicator.run(ranks: 2, timeout: .milliseconds(200)) {
      communicator -> DistributedError? in
      if communicator.rank == 1 { return nil }
      var room: [UInt8] = [0]
      do {
        try room.withUnsafeMutableBytes { try communicator.beginReceive($0, from: 1, keeping: ()).wait() }
        return nil
      } catch { return error as? DistributedError }
    }
    guard case .lostRank(1, let text)? = ends[0] else {
      Issue.record("\(String(describing: ends[0]))")
      return
    }
    #expect(text == "no answer for 0.2 seconds")
  }

  @Test func aRankThatEndsIsNamedByAll() {
    struct Ended: Error, CustomStringConvertible { let description = "out of coffee" }
    @Sendable func wait(_ communicator: LocalCommunicator) throws {
      if communicator.rank == 1 { throw Ended() }
      var room: [UInt8] = [0]
      let missed = #expect(throws: DistributedError.self) {
        try room.withUnsafeMutableBytes { try communicator.beginReceive($0, from: 1, keeping: ()).wait() }
      }
      #expect(missed == .lostRank(1, "it has ended: out of coffee"))
    }
    #expect(throws: Ended.self) { _ = try onRanks(3) { try wait($0) } }
  }

  /// Memory is held for a message that nobody waits for any more.
  @Test func anOwnerLivesUntilItsTransferEnds() throws {
    final class Owner: Sendable {
      let room = Tensor<UInt8>(unsafeUninitializedShape: [3]) { $0.update(repeating: 0) }
    }
    _ = try onRanks(2) { communicator in
      var signal: [UInt8] = [0]
      if communicator.rank == 1 {
        // Rank 0 has begun its receive.
        try signal.withUnsafeMutableBytes { try communicator.beginReceive($0, from: 0, keeping: ()).wait() }
        let sent: [UInt8] = [1, 2, 3]
        try sent.withUnsafeBytes { try communicator.beginSend($0, to: 0, keeping: ()).wait() }
        return try signal.withUnsafeBytes { try communicator.beginSend($0, to: 0, keeping: ()).wait() }
      }
      weak var held: Owner?
      do {
        let owner = Owner()
        held = owner
        let bytes = UnsafeMutableRawBufferPointer(
          start: UnsafeMutableRawPointer(mutating: UnsafeRawPointer(owner.room.unsafeBase)), count: 3)
        _ = try communicator.beginReceive(bytes, from: 1, keeping: owner)
      }
      #expect(held != nil)
      try signal.withUnsafeBytes { try communicator.beginSend($0, to: 1, keeping: ()).wait() }
      // Messages come in order: the three bytes are here when the signal is.
      try signal.withUnsafeMutableBytes { try communicator.beginReceive($0, from: 1, keeping: ()).wait() }
      #expect(held == nil)
    }
  }
}
