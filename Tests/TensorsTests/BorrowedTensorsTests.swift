import Synchronization
import Tensors
import Testing

@Suite struct BorrowedTensorsTests {
  @Test func spansAreReadInPlace() throws {
    let floats: [Float] = [0, 1, 2, 3, 4, 5]
    let bytes: [Int8] = [7, 8, 9]
    let address = floats.withUnsafeBufferPointer { UInt(bitPattern: $0.baseAddress) }
    let sum = try withTensors(over: floats.span, bytes.span, shapes: [2, 3], [3]) { floats, bytes in
      #expect(floats.address == address && floats.shape == [2, 3] && floats.isContiguous)
      #expect(floats.elements == [0, 1, 2, 3, 4, 5] && bytes.elements == [7, 8, 9])
      return floats[1, 2] + Float(bytes[0])
    }
    #expect(sum == 12)
  }

  @Test func aSpanMayHaveMoreThanItsShape() throws {
    let floats: [Float] = [0, 1, 2, 3, 4, 5]
    let elements = try withTensors(over: floats.span, shapes: [2, 2]) { $0.elements }
    #expect(elements == [0, 1, 2, 3])
    let none = try withTensors(over: floats.span, shapes: [0, 9]) { $0.elements }
    #expect(none.isEmpty)
  }

  @Test func emptySpansAreFine() throws {
    let count = try withTensors(over: [Double]().span, shapes: [3, 0]) { $0.elements.count }
    #expect(count == 0)
  }

  @Test func aWriteCopies() throws {
    let floats: [Float] = [0, 1, 2]
    let changed = try withTensors(over: floats.span, shapes: [3]) { tensor in
      var copy = tensor
      copy[0] = 9
      #expect(tensor[0] == 0)
      return copy
    }
    #expect(changed.elements == [9, 1, 2] && floats == [0, 1, 2])
  }

  @Test func anOutputIsWrittenInPlace() throws {
    let floats: [Float] = [1, 2, 3, 4]
    var output = [Float](repeating: -1, count: 5)
    var span = output.mutableSpan
    let rank = try withTensors(over: floats.span, shapes: [2, 2], writing: &span, shape: [2, 2]) {
      output, floats throws(AttentionError) in
      try output.assign(from: floats.transposed())
      return output.shape.count
    }
    #expect(rank == 2 && output == [1, 3, 2, 4, -1])
  }

  @Test func whatDoesNotFitThrowsBeforeTheBody() throws {
    let floats: [Float] = [1, 2, 3]
    func fail() { Issue.record("the body was called") }
    func refusal(_ body: () throws -> Void) -> AttentionError? {
      #expect(throws: AttentionError.self, performing: body)
    }
    #expect(
      refusal { try withTensors(over: floats.span, shapes: [2, 2]) { _ in fail() } }
        == AttentionError("over", "span 0 has 3 elements, expected at least 4 for shape [2, 2]"))
    #expect(
      refusal {
        try withTensors(over: floats.span, floats.span, shapes: [3], [4]) { _, _ in fail() }
      } == AttentionError("over", "span 1 has 3 elements, expected at least 4 for shape [4]"))
    #expect(
      refusal { try withTensors(over: floats.span, shapes: [3], [3]) { _ in fail() } }
        == AttentionError("shapes", "2 shapes for 1 spans, expected one each"))
    #expect(
      refusal { try withTensors(over: floats.span, shapes: [-1]) { _ in fail() } }?.argument
        == "over")
    var output: [Float] = [1]
    var span = output.mutableSpan
    let tooShort = #expect(throws: AttentionError.self) {
      try withTensors(over: floats.span, shapes: [3], writing: &span, shape: [2]) { _, _ in
        fail()
      }
    }
    #expect(
      tooShort == AttentionError("output", "the span has 1 elements, expected at least 2 for shape [2]"))
  }

  @Test func theBodysErrorsPass() throws {
    let floats: [Float] = [1, 2, 3]
    #expect(throws: AttentionError("mergeHeads()", "shape [3], expected [B, H, T, D]")) {
      try withTensors(over: floats.span, shapes: [3]) { tensor throws(AttentionError) in
        try tensor.mergeHeads().count
      }
    }
  }

  /// Whatever keeps a tensor, a view, or one without its type keeps memory that is no longer there: the program stops.
  @Test func aTensorThatOutlivesTheBodyStopsTheProgram() async {
    await #expect(processExitsWith: .failure) {
      let floats: [Float] = [1, 2, 3]
      _ = try withTensors(over: floats.span, shapes: [3]) { $0 }
    }
    await #expect(processExitsWith: .failure) {
      let floats: [Float] = [1, 2, 3]
      var kept: AnyTensor?
      try withTensors(over: floats.span, floats.span, shapes: [1], [3]) { _, second in
        kept = AnyTensor(second.sliced(axis: 0, 1..<2))
      }
      print(kept?.count ?? 0)
    }
    await #expect(processExitsWith: .failure) {
      let floats: [Float] = [1, 2, 3]
      var output: [Float] = [0]
      var span = output.mutableSpan
      let kept = Mutex<Tensor<Float>?>(nil)
      do {
        try withTensors(over: floats.span, shapes: [3], writing: &span, shape: [1]) {
          _, floats throws(AttentionError) in
          kept.withLock { $0 = floats }
          throw AttentionError("test", "a body that throws")
        }
      } catch {
        print(error)
      }
    }
  }

  /// The same calls without an escape end well: the checks above see the escape, not the call.
  @Test func copiesMayOutliveTheBody() async {
    await #expect(processExitsWith: .success) {
      let floats: [Float] = [1, 2, 3]
      let copy = try withTensors(over: floats.span, floats.span, shapes: [1], [3]) { _, second in
        AnyTensor(second.sliced(axis: 0, 1..<2).contiguousCopy())
      }
      precondition(copy.tensor(as: Float.self)?.elements == [2])
    }
  }
}
