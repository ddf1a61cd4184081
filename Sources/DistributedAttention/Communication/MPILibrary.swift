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
    private var pending: [Int: MPIPending] = [:]
    private var lastID = 0
    /// Messages that are sent or expected, in the order in which they began, until somebody notices their end. Of a gathering its caller does.
    private var underWay: [Int] = []
    /// Those whose bytes are coming in, as far as is known.
    private var arriving: [Int] = []
    /// Whether a message has begun, come or ended since the last look at all.
    private var hasChanged = false
    /// What this rank expects of each other one, in the order in which it is sent: the first takes what comes next.
    private var expected: [[Int]]
    /// Whether a thread looks at what is under way.
    var isWatched = false
    /// The ranks that said last that they wait.
    private(set) var waiting: Set<Int> = []
    /// Notices that are on their way; they are few, and their memory is never freed before MPI is done with it.
    private var noticesUnderWay: [(request: MPI_Request?, memory: UnsafeMutablePointer<Int32>)] = []

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
      expected = Array(repeating: [], count: Int(size))
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

  extension MPILibrary {
    /// Begins to send pieces to a rank. Tags say whether more of the message comes.
    mutating func send(
      _ pieces: [UnsafeRawBufferPointer], to rank: Int, _ owner: any Sendable
    ) throws(DistributedError) -> Int {
      var requests: [MPI_Request?] = []
      for (index, piece) in pieces.enumerated() {
        requests.append(
          try begun(with: rank) { request in
            CMPI_begin_send(
              piece.baseAddress, Int32(piece.count), Int32(rank), index == pieces.count - 1 ? 0 : 1, messages,
              request)
          })
      }
      return watched(MPIPending(requests, owner))
    }

    /// Begins to receive a message from a rank, in pieces as they are sent.
    mutating func receive(
      _ rooms: [UnsafeMutableRawBufferPointer], from rank: Int, _ owner: any Sendable
    ) -> Int {
      let id = watched(MPIPending(expecting: rooms, owner))
      expected[rank].append(id)
      return id
    }

    /// Begins to gather what each rank contributes.
    mutating func allGather(
      _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, _ owner: any Sendable
    ) throws(DistributedError) -> Int {
      let request = try begun(with: rank) { request in
        CMPI_begin_all_gather(bytes.baseAddress, all.baseAddress, Int32(bytes.count), messages, request)
      }
      return add(MPIPending([request], owner))
    }

    private func begun(
      with peer: Int, _ body: (UnsafeMutablePointer<MPI_Request?>) -> Int32
    ) throws(DistributedError) -> MPI_Request? {
      var request: MPI_Request? = CMPI_request_null()
      let code = body(&request)
      guard code == MPI_SUCCESS else { throw .transfer(rank: peer, Self.text(of: code)) }
      return request
    }

    private mutating func add(_ transfer: MPIPending) -> Int {
      lastID += 1
      pending[lastID] = transfer
      return lastID
    }

    private mutating func watched(_ message: MPIPending) -> Int {
      let id = add(message)
      underWay.append(id)
      hasChanged = true
      return id
    }

    /// What a look at all messages finds.
    enum Progress {
      /// Some message has begun, come or ended since the last look, or is coming in.
      case moving
      /// Nothing is known to move. What is sent may: MPI does not say when its receiver is ready.
      case waiting
      /// Nothing is under way.
      case done
    }

    /// Lets MPI move bytes, of all messages: it does so in any call, so that the first one and those that come in are enough to look at, however many there are.
    mutating func progress() -> Progress {
      takeMessages()
      let before = arriving
      arriving = before.filter { look(at: $0) }
      let ended = underWay.firstIndex { look(at: $0) } ?? underWay.count
      underWay.removeFirst(ended)
      defer { hasChanged = false }
      if underWay.isEmpty { return .done }
      return ended > 0 || hasChanged || !arriving.isEmpty ? .moving : .waiting
    }

    /// Whether a transfer has ended; if so it is forgotten.
    ///
    /// - Returns: nil while it is under way, else what went wrong, or an empty text.
    mutating func end(of id: Int) -> String? {
      takeMessages()
      if look(at: id) { return nil }
      if let index = underWay.firstIndex(of: id) { underWay.remove(at: index) }
      hasChanged = true
      return pending.removeValue(forKey: id)?.failure ?? ""
    }

    private mutating func look(at id: Int) -> Bool {
      guard pending[id]?.isUnderWay == true else { return false }
      pending[id]?.look()
      return pending[id]?.isUnderWay == true
    }

    /// Receives what has come, each message into the memory of who expects it first.
    private mutating func takeMessages() {
      for source in expected.indices {
        while let id = expected[source].first {
          var (found, message): (Int32, CMPI_message) = (0, CMPI_message())
          let code = CMPI_next_message(Int32(source), messages, &found, &message)
          if code == MPI_SUCCESS && found == 0 { break }
          hasChanged = true
          if code == MPI_SUCCESS { pending[id]?.receive(&message) } else { pending[id]?.fail(code) }
          if arriving.last != id { arriving.append(id) }
          if pending[id]?.isComplete ?? true { expected[source].removeFirst() }
        }
      }
    }
  }

  // MARK: - Who waits

  /// Of notices, which have a communicator of their own.
  private let tag: Int32 = 1

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
        var (request, isDone): (MPI_Request?, Int32) = (notice.request, 0)
        guard CMPI_test(&request, &isDone) == MPI_SUCCESS, isDone != 0 else { return false }
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
