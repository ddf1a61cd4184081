import Synchronization
import Tensors
import Testing

@Suite struct ExternalMemoryTests {
  /// Counts releases; the closure of an owner must be Sendable.
  final class Releases: Sendable {
    private let number = Atomic<Int>(0)
    var count: Int { number.load(ordering: .sequentiallyConsistent) }
    var owner: MemoryOwner { MemoryOwner { self.number.add(1, ordering: .sequentiallyConsistent) } }
  }

  @Test func isReadInPlaceNeverWrittenAndReleasedOnce() throws {
    let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: 6)
    defer { memory.deallocate() }
    _ = memory.initialize(fromContentsOf: [0, 1, 2, 3, 4, 5])
    let base = UnsafePointer(try #require(memory.baseAddress))
    let releases = Releases()
    do {
      var tensor = try Tensor<Float>(unsafeExternal: base, shape: [2, 3], owner: releases.owner)
      #expect(tensor.address == UInt(bitPattern: base))
      do {
        let row = tensor.selected(axis: 0, 1)
        #expect(row.elements == [3, 4, 5])
      }
      #expect(releases.count == 0)
      // The last tensor that uses the memory writes, so copies, so lets go.
      tensor[0, 0] = 9
      #expect(releases.count == 1)
      #expect(tensor.elements == [9, 1, 2, 3, 4, 5] && tensor.address != UInt(bitPattern: base))
    }
    #expect(releases.count == 1)
    #expect(Array(memory) == [0, 1, 2, 3, 4, 5])
  }

  @Test func aViewKeepsItAlive() throws {
    let memory: [Float] = [0, 1, 2, 3]
    let releases = Releases()
    try memory.withUnsafeBufferPointer { buffer in
      let base = try #require(buffer.baseAddress)
      var view: Tensor<Float>?
      do {
        let tensor = try Tensor<Float>(unsafeExternal: base, shape: [4], owner: releases.owner)
        view = tensor.sliced(axis: 0, 1..<3)
      }
      #expect(releases.count == 0 && view?.elements == [1, 2])
      view = nil
      #expect(releases.count == 1)
    }
  }

  @Test func anyStridesAreRead() throws {
    let memory: [Int32] = [0, 1, 2, 3, 4, 5]
    try memory.withUnsafeBufferPointer { buffer in
      let last = try #require(buffer.baseAddress) + 5
      let backwards = try Tensor<Int32>(unsafeExternal: last, shape: [2, 3], strides: [-3, -1], owner: 0)
      #expect(backwards.elements == [5, 4, 3, 2, 1, 0] && !backwards.isContiguous)
      let windows = try Tensor<Int32>(unsafeExternal: last - 5, shape: [4, 3], strides: [1, 1], owner: 0)
      #expect(windows.elements == [0, 1, 2, 1, 2, 3, 2, 3, 4, 3, 4, 5])
      let repeated = try Tensor<Int32>(unsafeExternal: last, shape: [2, 2], strides: [0, 0], owner: 0)
      #expect(repeated.elements == [5, 5, 5, 5])
    }
  }

  @Test func shapesThatAreNoneAreRefused() throws {
    let releases = Releases()
    try [Float(1)].withUnsafeBufferPointer { buffer in
      let base = try #require(buffer.baseAddress)
      let owner = releases.owner
      #expect(
        throws: AttentionError(
          "shape", "the element count of shape [-1, 2] is negative or does not fit an Int")
      ) { _ = try Tensor(unsafeExternal: base, shape: [-1, 2], owner: owner) }
      #expect(throws: AttentionError("strides", "1 strides for shape [1, 1], expected 2")) {
        _ = try Tensor(unsafeExternal: base, shape: [1, 1], strides: [1], owner: owner)
      }
      withExtendedLifetime(owner) { #expect(releases.count == 0) }
    }
    #expect(releases.count == 1)
  }

  @Test func addressesBetweenElementsAreRefused() throws {
    try [Int64](repeating: 0, count: 2).withUnsafeBytes { bytes in
      let base = try #require(bytes.baseAddress) + 2
      let error = #expect(throws: AttentionError.self) {
        _ = try Tensor(unsafeExternal: base.assumingMemoryBound(to: Float.self), shape: [1], owner: 0)
      }
      #expect(error?.argument == "base")
      let halves = try Tensor(
        unsafeExternal: base.assumingMemoryBound(to: BFloat16.self), shape: [3], owner: 0)
      #expect(halves.elements == [0, 0, 0])
    }
  }
}

@Suite struct MutableExternalMemoryTests {
  /// Memory for one test; the tensors over it read and write it.
  private func withMemory(_ body: (UnsafeMutablePointer<Float>) throws -> Void) rethrows {
    let memory = UnsafeMutablePointer<Float>.allocate(capacity: 6)
    defer { memory.deallocate() }
    for index in 0..<6 { memory[index] = Float(index) }
    try body(memory)
  }

  @Test func theOnlyTensorWritesInPlace() throws {
    try withMemory { memory in
      var tensor = try Tensor(unsafeMutableExternal: memory, shape: [2, 3], owner: 0)
      tensor[1, 2] = 50
      tensor.withMutableView { $0[0, 0] = 10 }
      #expect(memory[5] == 50 && memory[0] == 10 && tensor.address == UInt(bitPattern: memory))
    }
  }

  @Test func aSharedTensorCopiesFirst() throws {
    try withMemory { memory in
      var tensor = try Tensor(unsafeMutableExternal: memory, shape: [2, 3], owner: 0)
      let view = tensor.transposed()
      tensor[1, 2] = 50
      #expect(memory[5] == 5 && view[2, 1] == 5 && tensor[1, 2] == 50)
      #expect(view.address == UInt(bitPattern: memory) && tensor.address != view.address)
    }
  }

  @Test func stridesAreThoseOfTheMemory() throws {
    try withMemory { memory in
      var backwards = try Tensor(
        unsafeMutableExternal: memory + 5, shape: [3, 2], strides: [-1, -3], owner: 0)
      #expect(backwards.elements == [5, 2, 4, 1, 3, 0])
      backwards[0, 1] = 20
      #expect(memory[2] == 20)
    }
  }

  @Test func theOwnerLivesAsLongAsTheMemoryIsUsed() throws {
    try withMemory { memory in
      let releases = ExternalMemoryTests.Releases()
      do {
        var tensor = try Tensor(unsafeMutableExternal: memory, shape: [6], owner: releases.owner)
        tensor[0] = 1
        #expect(releases.count == 0)
      }
      #expect(releases.count == 1)
    }
  }

  @Test(
    arguments: [
      ([2, 3], [0, 1]), ([4, 3], [1, 1]), ([2, 2, 2], [4, 1, 1]), ([2, 2], [1, -1]), ([3, 4], [3, 1]),
    ] as [(Shape, Strides)])
  func elementsThatIndicesShareAreRefused(shape: Shape, strides: Strides) {
    withMemory { memory in
      let error = #expect(throws: AttentionError.self, "\(shape) \(strides)") {
        _ = try Tensor(unsafeMutableExternal: memory, shape: shape, strides: strides, owner: 0)
      }
      #expect(error?.argument == "strides")
    }
  }

  @Test(
    arguments: [
      ([2, 3], [3, 1]), ([3, 2], [1, 3]), ([2, 1, 3], [3, 0, 1]), ([1, 1], [0, 0]), ([0, 4], [0, 0]),
      ([], []),
      ([2, 2], [-2, 1]),
    ] as [(Shape, Strides)])
  func elementsOfTheirOwnAreTaken(shape: Shape, strides: Strides) throws {
    try withMemory { memory in
      let tensor = try Tensor(unsafeMutableExternal: memory + 2, shape: shape, strides: strides, owner: 0)
      #expect(tensor.strides == strides)
    }
  }
}
