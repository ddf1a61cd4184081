import DistributedAttention
import Testing

/// Messages between ranks that are threads, and what becomes of those that never come.
struct LocalCommunicatorTests {
  @Test(arguments: [1, 2, 5]) func everyRankHearsOfEachOther(_ ranks: Int) throws {
    let heard = try LocalCommunicator.run(ranks: ranks) { communicator in
      let mine = [UInt8(communicator.rank), 7]
      var all = [UInt8](repeating: 0, count: 2 * ranks)
      try mine.withUnsafeBytes { mine in
        try all.withUnsafeMutableBytes { try communicator.allGather(mine, into: $0) }
      }
      return all
    }
    #expect(heard == Array(repeating: (0..<ranks).flatMap { [UInt8($0), 7] }, count: ranks))
  }

  @Test func messagesComeInTheOrderInWhichTheyWereSent() throws {
    let sums = try LocalCommunicator.run(ranks: 2) { communicator in
      let other = 1 - communicator.rank
      var rooms = [[UInt8]](repeating: [UInt8](repeating: 0, count: 3), count: 50)
      for number in 0..<50 {
        let bytes = [UInt8](repeating: UInt8(number), count: 3)
        try bytes.withUnsafeBytes { bytes in
          try rooms[number].withUnsafeMutableBytes { room in
            let transfers = [
              try communicator.beginReceive(room, from: other), try communicator.beginSend(bytes, to: other),
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
    let errors = try LocalCommunicator.run(ranks: 2) { communicator -> String in
      var room = [UInt8](repeating: 0, count: 4)
      let error = #expect(throws: DistributedError.self) {
        try room.withUnsafeMutableBytes { room in
          if communicator.rank == 0 {
            try communicator.beginSend(UnsafeRawBufferPointer(rebasing: room[0..<3]), to: 1).wait()
          } else {
            try communicator.beginReceive(room, from: 0).wait()
          }
        }
      }
      return "\(String(describing: error))"
    }
    #expect(errors[0].contains("3 bytes sent, 4 on the other side"))
    #expect(errors[1].contains("4 bytes expected, 3 on the other side"))
  }

  @Test func aRankThatStopsIsNamedInTime() throws {
    let start = ContinuousClock.now
    let ends = try LocalCommunicator.run(ranks: 2, timeout: .milliseconds(200)) {
      communicator -> DistributedError? in
      if communicator.rank == 1 { return nil }
      var room: [UInt8] = [0]
      do {
        try room.withUnsafeMutableBytes { try communicator.beginReceive($0, from: 1).wait() }
        return nil
      } catch { return error as? DistributedError }
    }
    guard case .lostRank(1, let text)? = ends[0] else {
      Issue.record("\(String(describing: ends[0]))")
      return
    }
    #expect(text == "no answer for 0.2 seconds")
    #expect(ContinuousClock.now - start < .seconds(30))
  }

  @Test func aRankThatEndsIsNamedByAll() {
    struct Ended: Error, CustomStringConvertible { let description = "out of coffee" }
    @Sendable func wait(_ communicator: LocalCommunicator) throws {
      if communicator.rank == 1 { throw Ended() }
      var room: [UInt8] = [0]
      let missed = #expect(throws: DistributedError.self) {
        try room.withUnsafeMutableBytes { try communicator.beginReceive($0, from: 1).wait() }
      }
      #expect(missed == .lostRank(1, "it has ended: out of coffee"))
    }
    #expect(throws: Ended.self) { try LocalCommunicator.run(ranks: 3) { try wait($0) } }
  }
}
