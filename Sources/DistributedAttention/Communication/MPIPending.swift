#if MPI
  import Attention
  import CMPI

  /// What MPI has been asked for and has not done yet: a message of this rank's, one that it expects, or a collective call.
  ///
  /// Memory is handed to MPI once a message has come and its length is known: Open MPI 4.1 reports a message that is longer than its room, and
  /// writes past the end all the same where it asks the receiver before it sends (6,000 bytes within a machine, 150,000 by TCP).
  struct MPIPending {
    private var requests: [MPI_Request?]
    /// Of the memory that MPI reads or writes.
    private let owner: any Sendable
    /// The memory of what is expected, in pieces as they are sent; nil where nothing is.
    private let rooms: [UnsafeMutableRawBufferPointer]?
    /// The bytes of pieces that have come.
    private var came = 0
    /// Whether the pieces that have come are those that are expected.
    private var fits = true
    /// What fits nowhere is received here, so that the next message is the next one of its sender.
    private var spare: [Tensor<UInt8>] = []
    /// Whether all pieces have been asked for.
    private(set) var isComplete: Bool
    /// What went wrong.
    private(set) var failure: String?

    /// What is under way.
    init(_ requests: [MPI_Request?], _ owner: any Sendable) {
      (self.requests, self.owner, rooms, isComplete) = (requests, owner, nil, true)
    }

    /// What is still to come.
    init(expecting rooms: [UnsafeMutableRawBufferPointer], _ owner: any Sendable) {
      (requests, self.owner, self.rooms, isComplete) = ([], owner, rooms, false)
    }

    var isUnderWay: Bool { !isComplete || requests.contains { $0 != CMPI_request_null() } }

    /// Sees which requests are done.
    mutating func look() {
      for index in requests.indices where requests[index] != CMPI_request_null() {
        var isDone: Int32 = 0
        let code = CMPI_test(&requests[index], &isDone)
        if code == MPI_SUCCESS { continue }
        requests[index] = CMPI_request_null()
        failure = failure ?? MPILibrary.text(of: code)
      }
    }

    /// Receives the next piece.
    mutating func receive(_ message: inout CMPI_message) {
      let (rooms, index, count) = (rooms ?? [], requests.count, Int(message.count))
      let isLast = message.tag == 0
      came += count
      fits =
        fits && index < rooms.count && count == rooms[index].count && isLast == (index == rooms.count - 1)
      let room: UnsafeMutableRawBufferPointer
      if fits {
        room = rooms[index]
      } else {
        spare.append(Tensor<UInt8>(unsafeUninitializedShape: [count]) { _ in })
        room = spare[spare.count - 1].writableBytes
      }
      var request: MPI_Request? = CMPI_request_null()
      let code = CMPI_begin_receive(room.baseAddress, &message, &request)
      if code != MPI_SUCCESS { return fail(code) }
      requests.append(request)
      isComplete = isLast
      if isLast && !fits {
        failure = "\(came) bytes came, expected \(rooms.reduce(0) { $0 + $1.count })"
      }
    }

    /// Expects no more.
    mutating func fail(_ code: Int32) {
      failure = failure ?? MPILibrary.text(of: code)
      isComplete = true
    }
  }
#endif
