import CAllocationCount
import Dispatch
import Synchronization
import Tensors
import Testing

@Suite struct GrowableTensorTests {
  /// Rows whose elements are their row's number along the growing axis, from `first` on.
  private func rows(_ range: Range<Int>, _ shape: Shape, axis: Int) -> Tensor<Float> {
    var shape = shape
    shape[axis] = range.count
    var result = Tensor<Float>.zeros(shape)
    result.withMutableView { view in
      for index in indices(of: shape) {
        let place = zip(index, view.strides).reduce(0) { $0 + $1.0 * $1.1 }
        view.base[place] = Float(range.lowerBound + index[axis])
      }
    }
    return result
  }

  private func empty(capacity: Int) -> GrowableTensor<Float> {
    GrowableTensor(emptyShape: [2, 0, 3], growing: 1, capacity: capacity)
  }

  private func rows(_ range: Range<Int>) -> Tensor<Float> { rows(range, [2, 0, 3], axis: 1) }

  @Test(arguments: 0..<3)
  func rowsFollowOneAnotherAlongAnyAxis(axis: Int) throws {
    var shape: Shape = [2, 3, 4]
    shape[axis] = 0
    var growable = GrowableTensor<Float>(emptyShape: shape, growing: axis, capacity: 10)
    #expect(growable.count == 0 && growable.shape == shape && growable.tensor.isEmpty)
    for step in [1, 3, 0, 2, 4] {
      let count = growable.count
      try growable.append(rows(count..<count + step, shape, axis: axis))
      #expect(growable.count == count + step)
      #expect(growable.tensor == rows(0..<count + step, shape, axis: axis), "axis \(axis), \(step) rows")
    }
    #expect(growable.capacity == 10 && growable.shape == growable.tensor.shape)
  }

  @Test func earlierTensorsStayAndNothingMoves() throws {
    var growable = empty(capacity: 64)
    try growable.append(rows(0..<1))
    let address = growable.tensor.address
    var taken: [Tensor<Float>] = []
    for count in 1..<64 {
      taken.append(growable.tensor)
      try growable.append(rows(count..<count + 1))
      #expect(growable.tensor.address == address, "\(count) rows")
    }
    for (index, tensor) in taken.enumerated() {
      #expect(tensor == rows(0..<index + 1), "\(index + 1) rows")
    }
  }

  // Without the optimiser, closures and indices passed as a list are objects.
  #if !DEBUG
    @Test func appendsWithinTheCapacityAllocateNothing() throws {
      var growable = empty(capacity: 65)
      let row = rows(0..<1)
      try growable.append(row)
      var kept = growable.tensor
      let before = CAllocationCount_ofThisThread()
      for _ in 0..<32 {
        try growable.append(row)
        try growable.append(1) { view throws(AttentionError) in try view.assign(from: row) }
        kept = growable.tensor
      }
      #expect(CAllocationCount_ofThisThread() == before)
      #expect(kept.shape == [2, 65, 3])
      try growable.append(row)
      #expect(CAllocationCount_ofThisThread() > before, "allocations are not counted")
    }
  #endif

  @Test func beyondTheCapacityRowsMoveToTwiceTheRoom() throws {
    var growable = empty(capacity: 2)
    try growable.append(rows(0..<2))
    let before = growable.tensor
    try growable.append(rows(2..<3))
    #expect(growable.capacity == 4 && growable.tensor == rows(0..<3))
    #expect(before == rows(0..<2) && before.address != growable.tensor.address)
    try growable.append(rows(3..<20))
    #expect(growable.capacity == 20 && growable.tensor == rows(0..<20))
    var fromNothing = empty(capacity: 0)
    try fromNothing.append(rows(0..<1))
    #expect(fromNothing.capacity == 1 && fromNothing.tensor == rows(0..<1))
  }

  @Test func copiesOfTheValueGoTheirOwnWays() throws {
    var first = empty(capacity: 8)
    try first.append(rows(0..<2))
    var second = first
    let address = first.tensor.address
    try first.append(rows(2..<3))
    try second.append(rows(7..<9))
    // Who comes first stays, the other moves.
    #expect(first.tensor.address == address && second.tensor.address != address)
    #expect(first.tensor == rows(0..<3))
    #expect(second.tensor == (try rows(0..<2).concatenated(with: rows(7..<9), axis: 1)))
    let moved = second.tensor.address
    try first.append(rows(3..<4))
    try second.append(rows(9..<10))
    #expect(first.tensor.address == address && second.tensor.address == moved)
    #expect(first.tensor == rows(0..<4) && second.count == 5)
  }

  @Test func rowsThatWereDroppedStayWhereTheyAreSeen() throws {
    var growable = empty(capacity: 8)
    try growable.append(rows(0..<4))
    let before = growable.tensor
    growable.truncate(to: 2)
    #expect(
      growable.count == 2 && growable.tensor == rows(0..<2) && growable.tensor.address == before.address)
    try growable.append(rows(5..<7))
    #expect(before == rows(0..<4))
    #expect(growable.tensor == (try rows(0..<2).concatenated(with: rows(5..<7), axis: 1)))
  }

  @Test func rowsThatWereDroppedAndNobodySeesAreWrittenInPlace() throws {
    var growable = empty(capacity: 8)
    try growable.append(rows(0..<4))
    let address = growable.tensor.address
    growable.truncate(to: 0)
    try growable.append(rows(4..<6))
    #expect(growable.tensor.address == address && growable.tensor == rows(4..<6))
    // A copy of the value that still has the dropped rows sees them as much as a tensor.
    let copy = growable
    growable.truncate(to: 1)
    try growable.append(rows(9..<10))
    #expect(copy.tensor == rows(4..<6) && growable.tensor[0, 1, 0] == 9)
  }

  @Test func aBodyThatThrowsAppendsNothing() throws {
    var growable = empty(capacity: 4)
    try growable.append(rows(0..<2))
    let taken = growable.tensor
    let refused = AttentionError("test", "half written")
    for isShared in [true, false] {
      let other: GrowableTensor? = isShared ? growable : nil
      #expect(throws: refused) {
        try growable.append(2) { view throws(AttentionError) in
          view.selected(axis: 1, 0).base.pointee = -1
          throw refused
        }
      }
      #expect(growable.count == 2 && growable.tensor == taken && other?.count ?? 2 == 2)
    }
    // The rows are free again: no move.
    try growable.append(rows(2..<4))
    #expect(growable.tensor == rows(0..<4) && growable.tensor.address == taken.address)
    #expect(throws: refused) { try growable.append(1) { _ throws(AttentionError) in throw refused } }
    #expect(growable.tensor == rows(0..<4))
  }

  @Test func itsOwnRowsMayBeAppended() throws {
    var growable = empty(capacity: 3)
    try growable.append(rows(0..<2))
    try growable.append(growable.tensor.sliced(axis: 1, 1..<2))
    try growable.append(growable.tensor)
    #expect(growable.tensor.selected(axis: 0, 1).selected(axis: 1, 2).elements == [0, 1, 1, 0, 1, 1])
  }

  @Test func aWriteToATensorDoesNotShowInLaterOnes() throws {
    var growable = empty(capacity: 4)
    try growable.append(rows(0..<2))
    var tensor = growable.tensor
    tensor[0, 0, 0] = 9
    #expect(growable.tensor == rows(0..<2) && tensor[0, 0, 0] == 9)
  }

  @Test func whatDoesNotFitIsRefused() throws {
    var growable = empty(capacity: 4)
    try growable.append(rows(0..<1))
    #expect(throws: AttentionError("rows", "shape [2, 1, 4], expected [2, 0, 3] but for axis 1")) {
      try growable.append(Tensor<Float>.zeros([2, 1, 4]))
    }
    #expect(throws: AttentionError("rows", "shape [1, 3], expected [2, 0, 3] but for axis 1")) {
      try growable.append(Tensor<Float>.zeros([1, 3]))
    }
    #expect(throws: AttentionError("rows", "-1 rows, expected at least 0")) {
      try growable.append(-1) { _ in }
    }
    for tooMany in [1 << 45, Int.max / 3, Int.max - 1, Int.max] {
      let error = #expect(throws: AttentionError.self) {
        try growable.append(tooMany) { _ in Issue.record("called with \(tooMany) rows") }
      }
      #expect(error?.kind == .outOfMemory, "\(tooMany)")
    }
    #expect(growable.tensor == rows(0..<1) && growable.capacity == 4)
  }

  /// Both threads start from the same rows in the same memory; each must see its own rows alone.
  @Test func twoThreadsAppendToTwoCopies() throws {
    for round in 0..<20 {
      var start = empty(capacity: 100)
      try start.append(rows(0..<10))
      let begun = start
      let results = Mutex([Int: Tensor<Float>]())
      DispatchQueue.concurrentPerform(iterations: 2) { thread in
        var mine = begun
        for step in 0..<90 {
          let first = 1000 * (thread + 1) + step
          do throws(AttentionError) { try mine.append(rows(first..<first + 1)) } catch {
            Issue.record("\(error)")
          }
        }
        let tensor = mine.tensor
        results.withLock { $0[thread] = tensor }
      }
      for thread in 0..<2 {
        let first = 1000 * (thread + 1)
        let expected = try rows(0..<10).concatenated(with: rows(first..<first + 90), axis: 1)
        let isExpected = results.withLock { $0[thread] == expected }
        #expect(isExpected, "round \(round), thread \(thread)")
      }
    }
  }
}
