#if MPI
  import CMPI

  /// MPI, and what it has been asked for and has not done yet. Whoever holds this holds the lock under which MPI is called.
  ///
  /// `@unchecked`: MPI's handles are pointers that any thread may use, one at a time, and a lock guards this value.
  struct MPILibrary: @unchecked Sendable {
    let rank: Int
    let size: Int
    let host: String
    /// For what callers send, for collective calls, and for notices of ranks that wait.
    private let (messages, notices): (MPI_Comm, MPI_Comm)
    private var pending: [Int: Pending] = [:]
    private var lastID = 0
    /// Whether a thread looks at what is under way.
    var isWatched = false
    /// The ranks that said last that they wait.
    private(set) var waiting: Set<Int> = []
    /// Notices that are on their way; they are few, and their memory is never freed before MPI is done with it.
    private var noticesUnderWay: [(request: MPI_Request?, memory: UnsafeMutablePointer<Int32>)] = []

    private struct Pending {
      var requests: [MPI_Request?]
      /// What each receive has to bring; nil where nothing is received.
      let counts: [Int]?
      /// Of the memory that MPI reads or writes.
      let owner: any Sendable
      var failure: String?
      var unfinished: Int
    }

    /// Starts MPI unless the program has.
    init() throws(DistributedError) {
      var (isStarted, level): (Int32, Int32) = (0, 0)
      MPI_Initialized(&isStarted)
      if isStarted != 0 {
        MPI_Query_thread(&level)
      } else {
        let code = CMPI_init_thread(CMPI_thread_serialized(), &level)
        guard code == MPI_SUCCESS else { throw .unavailable("MPI does not start: \(Self.text(of: code))") }
        // Some failures of other communicators are reported here.
        CMPI_return_errors(CMPI_comm_world())
      }
      guard level >= CMPI_thread_serialized() else {
        throw .unavailable(
          "this MPI grants thread level \(level), expected MPI_THREAD_SERIALIZED (\(CMPI_thread_serialized())) or more"
        )
      }
      var (rank, size): (Int32, Int32) = (0, 0)
      MPI_Comm_rank(CMPI_comm_world(), &rank)
      MPI_Comm_size(CMPI_comm_world(), &size)
      (self.rank, self.size) = (Int(rank), Int(size))
      var length: Int32 = 0
      let name = [CChar](unsafeUninitializedCapacity: Int(CMPI_max_processor_name())) { name, count in
        MPI_Get_processor_name(name.baseAddress, &length)
        count = Int(length)
      }
      host = String(decoding: name.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      (messages, notices) = (try Self.duplicate(), try Self.duplicate())
    }

    private static func duplicate() throws(DistributedError) -> MPI_Comm {
      var copy: MPI_Comm? = CMPI_comm_null()
      let code = MPI_Comm_dup(CMPI_comm_world(), &copy)
      guard code == MPI_SUCCESS, let copy else { throw .unavailable("MPI_Comm_dup: \(text(of: code))") }
      CMPI_return_errors(copy)
      return copy
    }

    /// Once every rank has come here.
    mutating func stop() {
      var isStopped: Int32 = 0
      MPI_Finalized(&isStopped)
      if isStopped == 0 { MPI_Finalize() }
    }

    static func text(of code: Int32) -> String {
      var length: Int32 = 0
      let text = [CChar](unsafeUninitializedCapacity: Int(CMPI_max_error_string())) { text, count in
        MPI_Error_string(code, text.baseAddress, &length)
        count = Int(length)
      }
      return String(decoding: text.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
  }

  // MARK: - Transfers

  /// Messages of callers and notices of ranks, each on a communicator of its own.
  private let tag: Int32 = 1

  extension MPILibrary {
    /// Begins to send pieces to a rank.
    mutating func send(
      _ pieces: [UnsafeRawBufferPointer], to rank: Int, _ owner: any Sendable
    ) throws(DistributedError) -> Int {
      let messages = messages
      return try begin(pieces.count, rank, counts: nil, owner) { index, request in
        CMPI_begin_send(
          pieces[index].baseAddress, Int32(pieces[index].count), Int32(rank), tag, messages, request)
      }
    }

    /// Begins to receive pieces from a rank.
    mutating func receive(
      _ pieces: [UnsafeMutableRawBufferPointer], from rank: Int, _ owner: any Sendable
    ) throws(DistributedError) -> Int {
      let messages = messages
      return try begin(pieces.count, rank, counts: pieces.map(\.count), owner) { index, request in
        CMPI_begin_receive(
          pieces[index].baseAddress, Int32(pieces[index].count), Int32(rank), tag, messages, request)
      }
    }

    /// Begins to gather what each rank contributes.
    mutating func allGather(
      _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, _ owner: any Sendable
    ) throws(DistributedError) -> Int {
      let messages = messages
      return try begin(1, rank, counts: nil, owner) { _, request in
        CMPI_begin_all_gather(bytes.baseAddress, all.baseAddress, Int32(bytes.count), messages, request)
      }
    }

    private mutating func begin(
      _ count: Int, _ peer: Int, counts: [Int]?, _ owner: any Sendable,
      _ body: (_ piece: Int, _ request: UnsafeMutablePointer<MPI_Request?>) -> Int32
    ) throws(DistributedError) -> Int {
      var requests: [MPI_Request?] = []
      for piece in 0..<count {
        var request: MPI_Request? = CMPI_request_null()
        let code = body(piece, &request)
        guard code == MPI_SUCCESS else { throw .transfer(rank: peer, Self.text(of: code)) }
        requests.append(request)
      }
      lastID += 1
      pending[lastID] = Pending(
        requests: requests, counts: counts, owner: owner, failure: nil, unfinished: count)
      return lastID
    }

    /// Looks at all transfers, which is when MPI moves bytes.
    ///
    /// - Returns: whether some are still under way.
    mutating func progress() -> Bool {
      var isBusy = false
      for id in pending.keys { isBusy = look(at: id) || isBusy }
      return isBusy
    }

    /// Whether a transfer has ended; if so it is forgotten.
    ///
    /// - Returns: nil while it is under way, else what went wrong, or an empty text.
    mutating func end(of id: Int) -> String? {
      if look(at: id) { return nil }
      return pending.removeValue(forKey: id)?.failure ?? ""
    }

    private mutating func look(at id: Int) -> Bool {
      guard var transfer = pending[id], transfer.unfinished > 0 else { return false }
      for index in transfer.requests.indices where transfer.requests[index] != CMPI_request_null() {
        var (isDone, count): (Int32, Int32) = (0, -1)
        let code = CMPI_test(&transfer.requests[index], &isDone, &count)
        if code != MPI_SUCCESS {
          transfer.failure = Self.text(of: code)
          transfer.requests[index] = CMPI_request_null()
        } else if isDone == 0 {
          continue
        } else if let expected = transfer.counts?[index], Int(count) != expected {
          transfer.failure = "\(count) bytes came, expected \(expected)"
        }
        transfer.unfinished -= 1
      }
      pending[id] = transfer
      return transfer.unfinished > 0
    }
  }

  // MARK: - Who waits

  extension MPILibrary {
    /// Tells all other ranks that this one waits, or no longer does.
    mutating func announce(isWaiting: Bool) {
      for other in 0..<size where other != rank {
        let memory = UnsafeMutablePointer<Int32>.allocate(capacity: 1)
        memory.initialize(to: isWaiting ? 1 : 0)
        var request: MPI_Request? = CMPI_request_null()
        if CMPI_begin_send(memory, 4, Int32(other), tag, notices, &request) == MPI_SUCCESS {
          noticesUnderWay.append((request, memory))
        } else {
          memory.deallocate()
        }
      }
    }

    /// Reads what others have announced.
    mutating func readNotices() {
      noticesUnderWay.removeAll { notice in
        var (request, isDone, count): (MPI_Request?, Int32, Int32) = (notice.request, 0, 0)
        guard CMPI_test(&request, &isDone, &count) == MPI_SUCCESS, isDone != 0 else { return false }
        notice.memory.deallocate()
        return true
      }
      while true {
        var (found, source, value): (Int32, Int32, Int32) = (0, -1, 0)
        guard CMPI_probe(tag, notices, &found, &source) == MPI_SUCCESS, found != 0,
          CMPI_receive_now(&value, 4, source, tag, notices) == MPI_SUCCESS
        else { return }
        if value == 1 { waiting.insert(Int(source)) } else { waiting.remove(Int(source)) }
      }
    }
  }
#endif
