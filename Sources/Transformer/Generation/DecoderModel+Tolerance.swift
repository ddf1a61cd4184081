import Attention
import Synchronization

extension DecoderModel {
  /// The same model whose attention of few tokens keeps to a tolerance over keys of two planes, or to none. Shares all weights.
  func within(_ tolerance: Double?) -> DecoderModel {
    var model = self
    let bound = tolerance.map { AttentionBound(tolerance: $0) }
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
