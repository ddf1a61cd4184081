import CAllocationCount
import Tensors
import Testing

@Suite struct AnyTensorTests {
  @Test(arguments: ElementType.allCases)
  func everyTypeComesBack(elementType: ElementType) throws {
    func check<Element: TensorElement>(_ type: Element.Type) throws {
      let tensor = counting([2, 3, 4], as: type).permuted(2, 0, 1)
      let erased = AnyTensor(tensor)
      #expect(erased.elementType == elementType && Element.elementType == elementType)
      #expect(erased.shape == tensor.shape && erased.strides == tensor.strides)
      #expect(erased.rank == 3 && erased.count == 24)
      let back = try #require(erased.tensor(as: type))
      #expect(back == tensor && back.address == tensor.address && back.strides == tensor.strides)
      #expect(UInt(bitPattern: erased.unsafeBase) == tensor.address)
      #expect(erased.description == tensor.debugDescription)
    }
    try check(elementType.swiftType)
  }

  @Test func anotherTypeIsNil() {
    let floats = AnyTensor(counting([4]))
    #expect(floats.tensor(as: Double.self) == nil)
    #expect(floats.tensor(as: Int32.self) == nil)
    #expect(AnyTensor(counting([4], as: UInt8.self)).tensor(as: Bool.self) == nil)
  }

  /// Views of the erased tensor are those of the tensor: the same addresses, shapes and strides.
  @Test func viewsAreThoseOfTheTensor() throws {
    func expectSame(_ erased: AnyTensor, _ tensor: Tensor<Float16>, _ comment: Comment) throws {
      let back = try #require(erased.tensor(as: Float16.self), comment)
      #expect(back.shape == tensor.shape && back.strides == tensor.strides, comment)
      #expect(back.address == tensor.address && back == tensor, comment)
      #expect(UInt(bitPattern: erased.unsafeBase) == tensor.address, comment)
    }
    let tensor = counting([2, 3, 1, 5], as: Float16.self)
    let erased = AnyTensor(tensor)
    try expectSame(erased.permuted(0, 2, 1, 3), tensor.permuted(0, 2, 1, 3), "permuted")
    try expectSame(erased.sliced(axis: 3, 1..<4), tensor.sliced(axis: 3, 1..<4), "sliced")
    try expectSame(erased.sliced(axis: 3, 1..<5, by: 2), tensor.sliced(axis: 3, 1..<5, by: 2), "by steps")
    try expectSame(erased.selected(axis: 1, 2), tensor.selected(axis: 1, 2), "selected")
    try expectSame(erased.expanded(axis: 1), tensor.expanded(axis: 1), "expanded")
    try expectSame(
      erased.broadcast(to: [4, 2, 3, 7, 5]), tensor.broadcast(to: [4, 2, 3, 7, 5]), "broadcast")
    try expectSame(
      erased.selected(axis: 0, 1).sliced(axis: 0, 1..<3).permuted(2, 1, 0),
      tensor.selected(axis: 0, 1).sliced(axis: 0, 1..<3).permuted(2, 1, 0), "a view of a view")
    #expect(throws: AttentionError("broadcast(to:)", "shape [2, 3, 1, 5] does not broadcast to [3]")) {
      try erased.broadcast(to: [3])
    }
  }

  @Test func itKeepsMemoryAliveAndIsKeptFromWrites() throws {
    var tensor = counting([3])
    let erased = AnyTensor(tensor)
    tensor[0] = 9
    #expect(erased.tensor(as: Float.self)?.elements == [0, 1, 2] && tensor.elements == [9, 1, 2])
  }

  // Without the optimiser, indices passed as a list are objects.
  #if !DEBUG
    @Test func nothingIsAllocated() throws {
      let start = CAllocationCount_ofThisThread()
      let tensor = counting([2, 3, 4, 5])
      #expect(CAllocationCount_ofThisThread() > start, "allocations are not counted")
      // Constants and generic metadata are made at the first use.
      for round in 0..<2 {
        let before = CAllocationCount_ofThisThread()
        let view = try AnyTensor(tensor).permuted(0, 2, 1, 3).sliced(axis: 1, 1..<3).selected(axis: 0, 1)
          .expanded(axis: 0).broadcast(to: [7, 2, 3, 5])
        let isSame = view.tensor(as: Float.self).map { $0.shape == [7, 2, 3, 5] }
        let allocations = CAllocationCount_ofThisThread() - before
        #expect(isSame == true)
        if round > 0 { #expect(allocations == 0) }
      }
    }
  #endif
}
