import BenchmarkKit

/// Values with commas between them: `f32,bf16`.
struct CommaList<Value: RawRepresentable<String> & CaseIterable & Equatable & Sendable>: Sendable {
  let values: [Value]

  init(_ values: [Value]) { self.values = values }

  /// Fails where a name is unknown or none is given; a name given twice counts once.
  init(argument: String) throws {
    var values: [Value] = []
    for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
      let value: Value = try choice(String(name))
      if !values.contains(value) { values.append(value) }
    }
    self.values = values
  }
}

extension CommaList: CustomStringConvertible {
  var description: String { values.map(\.rawValue).joined(separator: ",") }
}
