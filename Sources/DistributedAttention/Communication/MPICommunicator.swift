#if MPI
  import CMPI
  import Synchronization

  #if canImport(Glibc)
    import Glibc
  #elseif canImport(Musl)
    import Musl
  #endif

  /// The ranks of an MPI job.
  ///
  ///     let communicator = try MPICommunicator.world()
  ///     // mpirun -n 2 program
  ///
  /// Messages are bytes between duplicates of `MPI_COMM_WORLD`, so that they never meet those of the program's own. Those of more than
  /// ``largestMessage`` bytes go in pieces: MPI counts in 32 bits. A message that is shorter or longer than its receiver expects is an error there, which
  /// says both lengths, and the next one is whole. Every call of MPI is made under one lock, from whatever thread; MPI has to
  /// grant `MPI_THREAD_SERIALIZED`. While messages are under way a thread looks at them, ten thousand times a second after something has happened and five hundred times after a while, since most
  /// builds of MPI move bytes during calls alone.
  ///
  /// A rank that does not answer for ``timeout`` counts as lost. Ranks that wait tell each other for whom, so that all name the one that has
  /// stopped, and not the one that waits for it. A process that ends is noticed by `mpirun`, which ends the others.
  public final class MPICommunicator: Communicator {
    /// The rank in `MPI_COMM_WORLD`.
    public let rank: Int
    /// The ranks of the job.
    public let size: Int
    /// The machine that this rank runs on, as MPI names it.
    public let host: String
    /// How long a rank waits for another.
    public let timeout: Duration
    /// The longest message in bytes.
    public let largestMessage: Int

    private let library: Mutex<MPILibrary>

    /// The communicator of the whole job. Starts MPI where the program has not.
    ///
    /// - Parameters:
    ///   - timeout: how long a rank waits for another.
    ///   - largestMessage: in bytes; at most 2³⁰, so that counts fit 32 bits and pieces stay aligned.
    /// - Throws: ``DistributedError`` where MPI does not start, or grants no calls from several threads.
    public static func world(
      timeout: Duration = .seconds(60), largestMessage: Int = 1 << 30
    ) throws(DistributedError) -> MPICommunicator {
      try MPICommunicator(timeout: timeout, largestMessage: largestMessage)
    }

    private init(timeout: Duration, largestMessage: Int) throws(DistributedError) {
      precondition((1...(1 << 30)).contains(largestMessage), "messages of \(largestMessage) bytes")
      let library = try MPILibrary()
      (rank, size, host) = (library.rank, library.size, library.host)
      (self.timeout, self.largestMessage) = (timeout, largestMessage)
      self.library = Mutex(library)
    }

    /// Ends MPI, once every rank has come here. Nothing may be sent afterwards.
    public func finalize() {
      library.withLock { $0.stop() }
    }

    /// Says why on standard error, and ends the processes of all ranks with an exit code.
    public func abort(_ reason: some Error, code: Int32 = 1) -> Never {
      let line = Array("rank \(rank) (\(host)): \(reason)\n".utf8)
      // One call, so that lines of ranks do not mix.
      _ = write(STDERR_FILENO, line, line.count)
      MPI_Abort(CMPI_comm_world(), code)
      exit(code)
    }
  }

  extension MPICommunicator {
    /// Begins to send.
    public func beginSend(
      _ bytes: UnsafeRawBufferPointer, to rank: Int, keeping owner: any Sendable
    ) throws(DistributedError) -> any Transfer {
      precondition((0..<size).contains(rank), "rank \(rank) of \(size)")
      let pieces = pieces(of: bytes.count).map { UnsafeRawBufferPointer(rebasing: bytes[$0]) }
      let id = try begin { (library) throws(DistributedError) in try library.send(pieces, to: rank, owner) }
      return MPITransfer(self, id, peer: rank)
    }

    /// Begins to receive.
    public func beginReceive(
      _ bytes: UnsafeMutableRawBufferPointer, from rank: Int, keeping owner: any Sendable
    ) throws(DistributedError) -> any Transfer {
      precondition((0..<size).contains(rank), "rank \(rank) of \(size)")
      let pieces = pieces(of: bytes.count).map { UnsafeMutableRawBufferPointer(rebasing: bytes[$0]) }
      let id = try begin { (library) throws(DistributedError) in library.receive(pieces, from: rank, owner) }
      return MPITransfer(self, id, peer: rank)
    }

    /// MPI's own where it counts the bytes, which takes `log₂ size` rounds.
    public func allGather(
      _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, keeping owner: any Sendable
    ) throws(DistributedError) {
      // The pieces of all ranks would lie between each other: longer contributions go as messages.
      guard bytes.count <= largestMessage else {
        return try gatherByMessages(bytes, into: all, keeping: owner)
      }
      let id = try library.withLock { (library) throws(DistributedError) in
        try library.allGather(bytes, into: all, owner)
      }
      try MPITransfer(self, id, peer: nil).wait()
    }

    /// At least one, since a message without bytes is one too.
    private func pieces(of count: Int) -> [Range<Int>] {
      if count == 0 { return [0..<0] }
      return stride(from: 0, to: count, by: largestMessage).map { $0..<min(count, $0 + largestMessage) }
    }

    /// Begins what goes on while the program computes.
    private func begin(
      _ body: (inout MPILibrary) throws(DistributedError) -> Int
    ) throws(DistributedError) -> Int {
      let (id, needsWatch) = try library.withLock { (library) throws(DistributedError) in
        let id = try body(&library)
        defer { library.isWatched = true }
        return (id, !library.isWatched)
      }
      // Without a thread, bytes move while this rank waits.
      if needsWatch {
        if let watcher = Companion({ self.watch() }) {
          watcher.detach()
        } else {
          withLibrary { $0.isWatched = false }
        }
      }
      return id
    }

    /// Looks at what is under way until nothing is: often after something has happened, ever more seldom while nothing does.
    private func watch() {
      var interval = Self.shortestInterval
      while true {
        let progress = withLibrary { library in
          let progress = library.progress()
          if progress == .done { library.isWatched = false }
          return progress
        }
        switch progress {
        case .done: return
        case .moving: interval = Self.shortestInterval
        case .waiting: interval = min(2 * interval, Self.longestInterval)
        }
        usleep(interval)
      }
    }

    /// Microseconds. 10 Gbit/s fill 125 KB meanwhile, a fraction of the buffers of sockets.
    private static let shortestInterval: UInt32 = 100

    /// Microseconds. A look wakes the thread on a core that computes: on a virtual machine with one CPU a rank, ten thousand looks a second made a prefill 20 to
    /// 30 % slower, and five hundred no slower than it is from run to run. A rank that sends by TCP moves
    /// no more than a socket's buffer between two looks, unless it waits itself, or messages come: 10 Gbit/s fill 2.5 MB.
    private static let longestInterval: UInt32 = 2000

    func withLibrary<Result: Sendable>(_ body: (inout MPILibrary) -> Result) -> Result {
      library.withLock { body(&$0) }
    }
  }
#endif
