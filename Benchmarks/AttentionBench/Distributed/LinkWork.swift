import Attention
import BenchmarkKit
import DistributedAttention
import Foundation

/// Messages between all ranks at once, with nothing computed.
struct LinkWork<Over: Communicator> {
  private let communicator: Over
  private let (sent, received): (Tensor<UInt8>, Tensor<UInt8>)
  private var gatherings: Int { 50 }

  /// - Parameter bytes: of a message to each other rank.
  init(_ communicator: Over, bytes: Int) {
    self.communicator = communicator
    func memory(_ count: Int) -> Tensor<UInt8> {
      Tensor(unsafeUninitializedShape: [count]) { $0.update(repeating: 1) }
    }
    (sent, received) = (memory(bytes), memory(bytes * communicator.size))
  }

  private func bytes(_ tensor: Tensor<UInt8>, _ range: Range<Int>) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(
      start: UnsafeMutableRawPointer(mutating: UnsafeRawPointer(tensor.unsafeBase)) + range.lowerBound,
      count: range.count)
  }

  /// A message from each rank to each other.
  func exchange() throws {
    let count = sent.count
    var transfers: [any Transfer] = []
    for other in 0..<communicator.size where other != communicator.rank {
      let room = bytes(received, other * count..<(other + 1) * count)
      transfers.append(try communicator.beginReceive(room, from: other, keeping: received))
      transfers.append(
        try communicator.beginSend(
          UnsafeRawBufferPointer(bytes(sent, 0..<count)), to: other, keeping: sent))
    }
    for transfer in transfers { try transfer.wait() }
  }

  /// What a call's agreement sends, many times.
  func gather() throws {
    let words = Array(repeating: 0, count: ClusterModel.agreementBytes / MemoryLayout<Int>.stride)
    for _ in 0..<gatherings { _ = try communicator.allGather(words) }
  }

  /// The link that these times tell of.
  func link(exchange: Double, gathering: Double) -> ClusterModel.Link {
    let others = communicator.size - 1
    guard others > 0 else { return ClusterModel.Link(bytes: .infinity, latency: 0) }
    let rounds = Int.bitWidth - others.leadingZeroBitCount
    return ClusterModel.Link(
      bytes: Double(others * sent.count) / exchange,
      latency: gathering / Double(gatherings) / Double(rounds))
  }
}

extension Communicator {
  /// Seconds of the rank that took longest, from a moment at which all had come.
  func slowest(_ body: () throws -> Void) throws -> Double {
    _ = try allGather([0.0])
    let start = Stopwatch.seconds()
    try body()
    let seconds = Stopwatch.seconds() - start
    return try allGather([seconds]).max() ?? seconds
  }
}

/// `1 rank`, `2 ranks`
func counted(_ count: Int, _ word: String) -> String { "\(count) \(word)\(count == 1 ? "" : "s")" }

extension ClusterModel.Rates {
  /// For people.
  var words: String {
    String(
      format: "%.1f GFLOP/s of prefill, %.2f GB/s of decode, %.3f G numbers/s merged a rank",
      operations / 1e9, keyBytes / 1e9, mergedNumbers / 1e9)
  }
}

extension ClusterModel.Link {
  /// For people.
  var words: String { String(format: "%.2f GB/s and %.1f µs a link", bytes / 1e9, latency * 1e6) }
}
