import Attention
import TestSupport

extension PropertyDraw {
  /// What is wrong with this draw, or nil.
  var failure: String? {
    switch element {
    case .float32: PropertyCheck<Float>.failure(of: self)
    case .float64: PropertyCheck<Double>.failure(of: self)
    case .float16: PropertyCheck<Float16>.failure(of: self)
    case .bfloat16: PropertyCheck<BFloat16>.failure(of: self)
    }
  }

  /// The smallest draw that still fails, as far as one simplification at a time leads, and what is wrong with it.
  func smallestFailing(_ failure: String) -> (draw: PropertyDraw, failure: String) {
    var smallest = (draw: self, failure: failure)
    // A draw takes milliseconds, and each step makes it smaller: some hundred are enough, and patience has an end.
    var attempts = 600
    search: while true {
      for candidate in smallest.draw.simpler() {
        attempts -= 1
        if attempts < 0 { return smallest }
        if let failure = candidate.failure {
          smallest = (candidate, failure)
          continue search
        }
      }
      return smallest
    }
  }

  /// Draws that are simpler in one way, the boldest first.
  private func simpler() -> [PropertyDraw] {
    var candidates: [PropertyDraw] = []
    func attempt(_ isSimpler: Bool, _ change: (inout PropertyDraw) -> Void) {
      if !isSimpler { return }
      var draw = self
      change(&draw)
      draw.makeConsistent()
      candidates.append(draw)
    }
    attempt(twin != .none) { $0.twin = .none }
    attempt(poison != .none) { $0.poison = .none }
    attempt(source != .tensor) { $0.source = .tensor }
    attempt(packsQueries) { $0.packsQueries = false }
    attempt(keyType != nil) { $0.keyType = nil }
    attempt(valueType != nil) { $0.valueType = nil }
    for index in rules.indices { attempt(true) { $0.rules.remove(at: index) } }
    attempt(softcap != nil) { $0.softcap = nil }
    attempt(sinks != nil) { $0.sinks = nil }
    attempt(scale != nil) { $0.scale = nil }
    attempt(magnitude != 1) { $0.magnitude = 1 }
    attempt(alignment != nil) { $0.alignment = nil }
    attempt(sharing != .none) { $0.sharing = .none }
    attempt(storage.contains { $0 != nil }) { $0.storage = [nil, nil, nil, nil] }
    for tensor in storage.indices { attempt(storage[tensor] != nil) { $0.storage[tensor] = nil } }
    attempt(element != .float32) { $0.element = .float32 }
    attempt(entry != .withLogSumExp) { $0.entry = .withLogSumExp }
    attempt(threads != 1) { $0.threads = 1 }
    attempt(shape.heads.query > shape.heads.keyValue) { $0.shape.heads.query = shape.heads.keyValue }
    attempt(shape.heads.keyValue > 1) {
      $0.shape.heads.query /= shape.heads.keyValue
      $0.shape.heads.keyValue = 1
    }
    for size in [\ProblemShape.batch, \.queries, \.keys, \.headDimension, \.valueDimension] {
      let now = shape[keyPath: size]
      for smaller in Set([1, now / 2, now * 3 / 4, now - 1]).sorted() where smaller >= 1 && smaller < now {
        attempt(true) { $0.shape[keyPath: size] = smaller }
      }
    }
    return candidates
  }
}
