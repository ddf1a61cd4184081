#if MPI
  /// Messages between this rank and another one, or all.
  struct MPITransfer: Transfer {
    private let communicator: MPICommunicator
    private let id: Int
    /// Nil for all ranks.
    private let peer: Int?

    init(_ communicator: MPICommunicator, _ id: Int, peer: Int?) {
      (self.communicator, self.id, self.peer) = (communicator, id, peer)
    }

    func wait() throws(DistributedError) {
      let limit = communicator.timeout
      var hasAnnounced = false
      var failure = ""
      let ended = try Patience(limit: limit).wait { (waited) throws(DistributedError) in
        let end = communicator.withLibrary { library -> String? in
          if let end = library.end(of: id) { return end }
          // Early enough that all who wait for the same rank have said so before the first of them gives up.
          if waited > limit / 4 {
            if !hasAnnounced { library.announce(isWaiting: true) }
            hasAnnounced = true
            library.readNotices()
          }
          return nil
        }
        guard let end else { return false }
        failure = end
        return true
      }
      if ended && hasAnnounced { communicator.withLibrary { $0.announce(isWaiting: false) } }
      if !ended {
        let silent = communicator.silentRank(beside: peer)
        throw .lostRank(silent, "no answer for \(limit): it has stopped, or computes for longer than that")
      }
      if !failure.isEmpty { throw .transfer(rank: peer ?? communicator.rank, failure) }
    }
  }

  extension MPICommunicator {
    /// The rank that others wait for: the one that this rank misses, unless it has said that it waits itself.
    func silentRank(beside peer: Int?) -> Int {
      let waiting = withLibrary { $0.waiting }
      if let peer, !waiting.contains(peer) { return peer }
      return (0..<size).first { $0 != rank && !waiting.contains($0) } ?? peer ?? rank
    }
  }
#endif
