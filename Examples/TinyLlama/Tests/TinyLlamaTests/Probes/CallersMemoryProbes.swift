import Attention
import Testing

@testable import Arrays

/// Inputs and output in memory of the caller's, without a copy.
struct CallersMemoryProbes {
  let tokens = Tensor<Float>.normal([1, 1, 6, 8], seed: 1).elements
  let expected: Tensor<Float>

  init() throws {
    let tokens = try Tensor(tokens, shape: [1, 1, 6, 8])
    expected = try attentionByFormula(tokens, tokens, tokens)
  }

  /// Whether an output is what the formula says.
  private func check(_ output: [Float], sourceLocation: SourceLocation = #_sourceLocation) throws {
    let difference = try Tensor(output, shape: expected.shape).maximumDifference(expected)
    #expect(difference <= floatTolerance, sourceLocation: sourceLocation)
  }

  @Test func arraysInAndAnArrayOut() throws {
    var output = [Float](repeating: .nan, count: 48)
    var span = output.mutableSpan
    try attend(queries: tokens, keys: tokens, values: tokens, width: 8, output: &span)
    try check(output)
  }

  @Test func aMutableSpanOut() throws {
    let output = try [Float](unsafeUninitializedCapacity: 48) { buffer, count in
      buffer.initialize(repeating: .nan)
      var span = buffer.mutableSpan
      try attend(queries: tokens, keys: tokens, values: tokens, width: 8, output: &span)
      count = 48
    }
    try check(output)
  }

  @Test func tensorsOverSpansAreNoCopies() throws {
    let address = tokens.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
    var output = [Float](repeating: 0, count: 48)
    let outputAddress = output.withUnsafeBufferPointer { Int(bitPattern: $0.baseAddress) }
    var span = output.mutableSpan
    let seen = try withTensors(over: tokens.span, shapes: [6, 8], writing: &span, shape: [6, 8]) {
      output, tokens throws(AttentionError) in
      try output.assign(from: tokens)
      return [tokens.address, Int(bitPattern: output.base)]
    }
    #expect(seen == [address, outputAddress])
    #expect(output == tokens)
  }

  @Test func spansThatAreTooShortAreRefused() throws {
    #expect(throws: AttentionError.self) {
      var output = [Float](repeating: 0, count: 47)
      var span = output.mutableSpan
      try attend(queries: tokens, keys: tokens, values: tokens, width: 8, output: &span)
    }
  }

  @Test func aTensorOverMemoryOfAnotherLibraryAsOutput() throws {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 48)
    memory.initialize(repeating: .nan, count: 48)
    defer { memory.deallocate() }
    let input = try Tensor(tokens, shape: [1, 1, 6, 8])
    let attend = ScaledDotProductAttention(mask: .causal)
    do {
      var output = try Tensor(
        unsafeMutableExternal: memory, shape: [1, 1, 6, 8], owner: MemoryOwner {})
      try output.withMutableView { view in
        try attend.write(input, KeyValues(keys: input, values: input), to: view)
      }
    }
    try check(Array(UnsafeBufferPointer(start: memory, count: 48)))
  }
}
