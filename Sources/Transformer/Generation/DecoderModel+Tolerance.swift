import Attention
import Synchronization

extension DecoderModel {
  /// The same model whose attention of few tokens keeps to a tolerance over keys of two planes; nil leaves it as it is. Shares all weights.
  func within(_ tolerance: Double?) -> DecoderModel {
    guard let tolerance else { return self }
    var model = self
    let bound = AttentionBound(tolerance: tolerance)
    for index in model.layers.indices { model.layers[index].attention.bound = bound }
    return model
  }

  /// Of all passes of few tokens: how many rows of low bytes were read.
  var lowByteReads: LowByteReads { layers.first?.attention.bound?.reads ?? LowByteReads() }
}

/// A tolerance that layers share, and what they have read under it.
final class AttentionBound: Sendable {
  let tolerance: Double
  private let total = Mutex(LowByteReads())

  init(tolerance: Double) { self.tolerance = tolerance }

  var reads: LowByteReads { total.withLock { $0 } }

  func add(_ reads: LowByteReads) { total.withLock { $0 += reads } }
}
