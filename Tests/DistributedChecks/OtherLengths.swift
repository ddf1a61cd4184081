#if MPI
  import DistributedAttention

  /// Messages of another length than their receiver expects: it has to say both lengths, and the messages after it have to come as they were sent.
  struct OtherLengths {
    private let communicator: MPICommunicator
    private let pairs: [(sent: Int, expected: Int)]

    /// Lengths below and above the longest message of a communicator, with fewer, as many and more pieces than are expected.
    init(_ communicator: MPICommunicator) {
      self.communicator = communicator
      let longest = communicator.largestMessage
      let half = longest / 2
      pairs = [
        (3, 4), (5, 4), (0, 4), (4, 0), (longest - 1, longest), (longest, longest - 1), (half, longest),
        (longest, half), (0, longest + 1), (3, 2 * longest + half), (longest, 2 * longest + half),
        (longest + half, 2 * longest + half), (2 * longest, 2 * longest + half),
        (2 * longest + half - 1, 2 * longest + half), (2 * longest + half + 1, 2 * longest + half),
        (3 * longest, 2 * longest + half), (3 * longest + half, 2 * longest + half),
        (2 * longest, longest), (2 * longest + half, 0),
      ]
    }

    var count: Int { pairs.count }

    /// What is wrong with this rank's, a line each.
    func failures() throws -> [String] {
      try pairs.compactMap { sent, expected in
        try failure(sent, expected).map { "\(sent) bytes where \(expected) are expected: \($0)" }
      }
    }

    private func failure(_ sent: Int, _ expected: Int) throws -> String? {
      var said = "nothing"
      do {
        _ = try exchange(sending: sent, receiving: expected)
      } catch DistributedError.transfer(previous, let text) {
        said = text
      }
      if said != "\(sent) bytes came, expected \(expected)" { return said }
      return try exchange(sending: 10, receiving: 10)
    }

    private var next: Int { (communicator.rank + 1) % communicator.size }
    private var previous: Int { (communicator.rank + communicator.size - 1) % communicator.size }

    /// Sends bytes to the next rank and receives some from the one before.
    ///
    /// - Returns: what is wrong with bytes that came.
    private func exchange(sending sent: Int, receiving expected: Int) throws -> String? {
      let bytes = (0..<sent).map { UInt8(truncatingIfNeeded: $0) }
      var room = [UInt8](repeating: 0, count: expected)
      try bytes.withUnsafeBytes { bytes in
        try room.withUnsafeMutableBytes { room in
          let receive = try communicator.beginReceive(room, from: previous, keeping: ())
          let send = try communicator.beginSend(bytes, to: next, keeping: ())
          // Both end before their memory does.
          let end = Result { try receive.wait() }
          try send.wait()
          try end.get()
        }
      }
      return sent == expected && room != bytes ? "other bytes came after it" : nil
    }
  }
#endif
