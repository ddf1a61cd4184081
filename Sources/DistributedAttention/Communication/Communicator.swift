import Attention

/// Processes that compute together: each has a rank, and any two of them exchange bytes.
///
/// All ranks make the same calls on a communicator in the same order, as in MPI: what one sends, the other receives. One call at a time runs on
/// a communicator; transfers that were begun go on beside the program's own work.
///
/// `MPICommunicator`, which the package's trait `MPI` adds, is that of a cluster. ``LocalCommunicator`` is one over threads of this process.
public protocol Communicator: Sendable {
  /// This process: one of `0..<size`.
  var rank: Int { get }

  /// How many ranks there are.
  var size: Int { get }

  /// Begins to send bytes to a rank, which receives as many in its next receive from this one.
  ///
  /// - Parameters:
  ///   - bytes: must stay as they are until the transfer has ended.
  ///   - rank: one of `0..<size`.
  ///   - owner: what keeps the bytes valid. It is held until the transfer has ended, which may be after its sender has given up.
  func beginSend(
    _ bytes: UnsafeRawBufferPointer, to rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer

  /// Begins to receive the next bytes that a rank sends to this one.
  ///
  /// - Parameters:
  ///   - bytes: nobody may touch them until the transfer has ended. A message of another length is an error.
  ///   - rank: one of `0..<size`.
  ///   - owner: what keeps the bytes valid, held as for a send.
  func beginReceive(
    _ bytes: UnsafeMutableRawBufferPointer, from rank: Int, keeping owner: any Sendable
  ) throws(DistributedError) -> any Transfer

  /// What each rank contributes, in the order of ranks, on every rank.
  ///
  /// - Parameters:
  ///   - bytes: as many on each rank.
  ///   - all: `size` times as many.
  ///   - owner: what keeps both valid, held as for a send.
  func allGather(
    _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, keeping owner: any Sendable
  ) throws(DistributedError)
}

/// A message that is under way.
public protocol Transfer: Sendable {
  /// Waits until the bytes have gone, or come.
  ///
  /// - Throws: ``DistributedError`` where the other rank does not answer in time, or the message has another length than is expected.
  func wait() throws(DistributedError)
}

extension Communicator {
  /// Arrays of as many elements from each rank, in the order of ranks.
  package func allGather<Element: BitwiseCopyable>(
    _ elements: [Element]
  ) throws(DistributedError) -> [Element] {
    let count = elements.count * MemoryLayout<Element>.stride
    // The first part is this rank's, the rest what all say.
    let memory = Tensor<UInt8>(unsafeUninitializedShape: [count * (size + 1)]) { memory in
      elements.withUnsafeBytes { UnsafeMutableRawBufferPointer(memory).copyMemory(from: $0) }
    }
    let bytes = memory.writableBytes
    try allGather(
      UnsafeRawBufferPointer(rebasing: bytes[..<count]),
      into: UnsafeMutableRawBufferPointer(rebasing: bytes[count...]), keeping: memory)
    return withExtendedLifetime(memory) {
      Array(UnsafeRawBufferPointer(rebasing: bytes[count...]).bindMemory(to: Element.self))
    }
  }

  /// What rank 0 has, on every rank; what others give does not matter.
  package func fromFirst<Element: BitwiseCopyable>(
    _ elements: [Element]
  ) throws(DistributedError) -> [Element] {
    let count = try allGather([elements.count])[0]
    let stride = MemoryLayout<Element>.stride
    let memory = Tensor<UInt8>(unsafeUninitializedShape: [count * stride]) { memory in
      if rank == 0 { elements.withUnsafeBytes { UnsafeMutableRawBufferPointer(memory).copyMemory(from: $0) } }
    }
    let bytes = memory.writableBytes
    if rank == 0 {
      for other in 1..<max(1, size) {
        try beginSend(UnsafeRawBufferPointer(bytes), to: other, keeping: memory).wait()
      }
    } else {
      try beginReceive(bytes, from: 0, keeping: memory).wait()
    }
    return withExtendedLifetime(memory) { Array(UnsafeRawBufferPointer(bytes).bindMemory(to: Element.self)) }
  }

  /// ``allGather(_:into:)`` by a message from each rank to each other.
  func gatherByMessages(
    _ bytes: UnsafeRawBufferPointer, into all: UnsafeMutableRawBufferPointer, keeping owner: any Sendable
  ) throws(DistributedError) {
    let count = bytes.count
    func place(_ rank: Int) -> UnsafeMutableRawBufferPointer {
      UnsafeMutableRawBufferPointer(rebasing: all[rank * count..<(rank + 1) * count])
    }
    place(rank).copyMemory(from: bytes)
    var transfers: [any Transfer] = []
    for (destination, source) in rounds {
      transfers.append(try beginSend(bytes, to: destination, keeping: owner))
      transfers.append(try beginReceive(place(source), from: source, keeping: owner))
    }
    for transfer in transfers { try transfer.wait() }
  }

  /// The ranks in the order in which this one exchanges with them: first the one `1` further, then the one `2` further. In each round
  /// every rank sends to one other and receives from one other.
  var rounds: [(destination: Int, source: Int)] {
    (1..<max(1, size)).map { ((rank + $0) % size, (rank + size - $0) % size) }
  }
}

extension Tensor {
  /// The memory of a contiguous tensor, for who fills it before anyone reads it. Valid while the tensor is alive.
  var writableBytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(mutating: UnsafeRawPointer(unsafeBase)),
      count: count * MemoryLayout<Element>.stride)
  }
}
