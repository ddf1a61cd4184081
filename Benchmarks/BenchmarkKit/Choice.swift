import Tensors

/// The value of this name.
///
/// - Throws: ``BenchmarkError`` with the nearest of the names that there are.
package func choice<Value: RawRepresentable<String> & CaseIterable>(
  _ name: String
) throws(BenchmarkError) -> Value {
  if let value = Value(rawValue: name) { return value }
  throw BenchmarkError(unknown(name, among: Value.allCases.map(\.rawValue)))
}

/// `"fuzed" is unknown; did you mean fused? There are chosen, gemm, fused`, and a full stop where no name is near.
package func unknown(_ name: String, among names: [String]) -> String {
  let nearest = nearestName(to: name, among: names).map { "; did you mean \($0)?" } ?? "."
  return "\(quoted(name)) is unknown\(nearest) There are \(names.joined(separator: ", "))"
}
