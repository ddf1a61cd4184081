import ArgumentParser
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

/// The value of this name.
///
/// - Throws: with the nearest of the names that there are.
func choice<Value: RawRepresentable<String> & CaseIterable>(_ name: String) throws -> Value {
  if let value = Value(rawValue: name) { return value }
  throw ValidationError(unknown(name, among: Value.allCases.map(\.rawValue)))
}

/// `"fuzed" is unknown; did you mean fused? There are chosen, gemm, fused`, and a full stop where no name is near.
func unknown(_ name: String, among names: [String]) -> String {
  let shown = String(name.prefix(64)).debugDescription
  let nearest = suggestion(for: name, among: names)
  return "\(shown) is unknown\(nearest.isEmpty ? "." : nearest) There are \(names.joined(separator: ", "))"
}
