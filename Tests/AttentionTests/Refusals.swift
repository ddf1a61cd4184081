import Attention
import Testing

/// The error of a call, or nil where it succeeds.
func refusal<Result>(_ body: () throws(AttentionError) -> Result) -> AttentionError? {
  do throws(AttentionError) {
    _ = try body()
    return nil
  } catch {
    return error
  }
}

/// Expects a call to be refused: the error names this argument, and its reason has these parts.
func expectRefusal<Result>(
  of argument: String, _ parts: String..., sourceLocation: SourceLocation = #_sourceLocation,
  _ body: () throws -> Result
) {
  let error = #expect(throws: AttentionError.self, sourceLocation: sourceLocation) { _ = try body() }
  #expect(error?.argument == argument, "\(String(describing: error))", sourceLocation: sourceLocation)
  for part in parts {
    #expect(
      error?.reason.contains(part) == true, "no \(part) in \(error?.reason ?? "")",
      sourceLocation: sourceLocation)
  }
}
