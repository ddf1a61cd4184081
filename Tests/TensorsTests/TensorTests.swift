import Dispatch
import Synchronization
import Tensors
import Testing

@Suite struct TensorTests {
  @Test(arguments: [[], [1], [3], [2, 3], [0], [2, 0, 3], [5, 7, 11]] as [Shape])
  func freshStorageIsDenseAndAligned(shape: Shape) {
    let tensor = counting(shape)
    #expect(tensor.address % 64 == 0, "\(shape)")
    #expect(tensor.isContiguous && tensor.strides == shape.rowMajorStrides, "\(shape)")
    #expect(tensor.count == shape.reduce(1, *) && tensor.rank == shape.count, "\(shape)")
    #expect(tensor.isEmpty == shape.contains(0), "\(shape)")
    #expect(tensor.elements == (0..<tensor.count).map(Float.init), "\(shape)")
  }

  @Test func rankZeroIsOneElement() throws {
    var scalar = try Tensor<Float>([3], shape: [])
    #expect(scalar[] == 3 && scalar.count == 1 && !scalar.isEmpty && scalar.elements == [3])
    scalar[] = 4
    #expect(scalar[] == 4)
    #expect(try scalar.reshaped(to: [1, 1]).shape == [1, 1])
    #expect(scalar.expanded(axis: 0).elements == [4])
  }

  @Test func subscriptIsIndexArithmetic() {
    let tensor = counting([3, 4, 5]).permuted(2, 0, 1)
    for index in indices(of: tensor.shape) {
      #expect(
        tensor[index[0], index[1], index[2]] == Float(index[1] * 20 + index[2] * 5 + index[0]), "\(index)")
    }
  }

  @Test func contiguousKeepsDenseTensorsAndCopiesOthers() {
    let tensor = counting([3, 4])
    #expect(tensor.contiguous().address == tensor.address)
    #expect(tensor.contiguousCopy().address != tensor.address)
    let turned = tensor.transposed()
    #expect(!turned.isContiguous && turned.contiguous().isContiguous)
    #expect(turned.contiguous().elements == elementsByIndex(turned))
    #expect(counting([0, 2, 3]).permuted(2, 1, 0).isContiguous)
  }

  /// The widths 1, 2, 4 and 8 of elements are copied by loops of their own.
  @Test func everyWidthIsCopied() {
    func check<Element: TensorElement>(_ type: Element.Type) {
      let tensor = counting([5, 4, 3], as: type).permuted(1, 2, 0)
      #expect(tensor.elements == elementsByIndex(tensor), "\(type)")
    }
    check(Int8.self)
    check(Bool.self)
    check(Float16.self)
    check(BFloat16.self)
    check(Int32.self)
    check(Int64.self)
    check(Double.self)
  }

  @Test func readingFromManyThreadsWhileOthersWriteCopies() {
    let shared = counting([64, 64]).transposed()
    let sums = Mutex([Float]())
    DispatchQueue.concurrentPerform(iterations: 64) { iteration in
      var mine = shared
      mine[0, 0] = Float(iteration)
      let sum = mine.elements.reduce(0, +) - mine[0, 0] + shared[0, 0]
      sums.withLock { $0.append(sum) }
    }
    #expect(sums.withLock { $0 } == [Float](repeating: 64 * 64 * (64 * 64 - 1) / 2, count: 64))
    #expect(shared[0, 0] == 0)
  }
}

@Suite struct CopyOnWriteTests {
  @Test func aWriteDoesNotShowInACopy() {
    var first = counting([2, 3])
    let second = first
    #expect(first.address == second.address)
    first[0, 1] = 100
    #expect(first.address != second.address)
    #expect(first.elements == [0, 100, 2, 3, 4, 5] && second.elements == [0, 1, 2, 3, 4, 5])
  }

  @Test func aWriteDoesNotShowInAView() {
    var tensor = counting([2, 3])
    let view = tensor.transposed()
    tensor.withMutableView { view in for column in 0..<3 { view[1, column] = -1 } }
    #expect(view.elements == [0, 3, 1, 4, 2, 5] && tensor.elements == [0, 1, 2, -1, -1, -1])
  }

  @Test func theOnlyOwnerWritesInPlace() {
    var tensor = counting([2, 3])
    let address = tensor.address
    tensor[1, 2] = 7
    tensor.withMutableView { $0[0, 0] = 8 }
    #expect(tensor.address == address && tensor.elements == [8, 1, 2, 3, 4, 7])
  }

  @Test func theOnlyOwnerOfAViewWritesInPlaceAndKeepsItsStrides() {
    func view() -> Tensor<Float> { counting([4, 6]).transposed().sliced(axis: 0, 1..<5, by: 2) }
    var tensor = view()
    let (address, strides) = (tensor.address, tensor.strides)
    tensor[1, 3] = -1
    #expect(tensor.address == address && tensor.strides == strides)
    var expected = view().elements
    expected[1 * 4 + 3] = -1
    #expect(tensor.elements == expected)
  }

  @Test func aWriteToARepeatedElementChangesOnePlace() throws {
    var tensor = try counting([3]).broadcast(to: [2, 3])
    tensor[1, 0] = 9
    #expect(tensor.elements == [0, 1, 2, 9, 1, 2] && tensor.strides == [3, 1])
    // A length of 1 repeats nothing: no copy.
    var single = try counting([3]).broadcast(to: [1, 3])
    let address = single.address
    single[0, 0] = 5
    #expect(single.address == address && single.elements == [5, 1, 2])
  }

  @Test func aThrowingWriterLeavesAValidTensor() {
    struct Interrupted: Error {}
    var tensor = counting([2])
    let copy = tensor
    #expect(throws: Interrupted.self) {
      try tensor.withMutableView { (view) throws(Interrupted) in
        view[0] = 5
        throw Interrupted()
      }
    }
    #expect(tensor.elements == [5, 1] && copy.elements == [0, 1])
  }
}
