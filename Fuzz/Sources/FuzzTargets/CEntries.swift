import CAttention

extension FuzzTarget {
  /// Functions of `attention.h` with whatever a C program could hand to them, in memory that is as large as it says: each returns a code,
  /// with a text where it refuses.
  static let cEntries = FuzzTarget("c-entries") { bytes throws(FuzzFault) in
    let caller = CCaller(bytes)
    let status: attention_status
    switch caller.input.int(0...7) {
    case 0: status = caller.describe()
    case 1: status = caller.merge()
    case 2: status = caller.quantize()
    case 3: status = caller.rotate()
    case 4, 5: status = try caller.cache()
    default: status = caller.run()
    }
    guard Int(status) != ATTENTION_OK else { return .answered }
    try require(
      [ATTENTION_INVALID_ARGUMENT, ATTENTION_OUT_OF_MEMORY].contains(Int(status)), "the code \(status)")
    try checkMessage(String(cString: attention_last_error()))
    return .refused
  }
}

/// A C program that a fuzzer wrote: its memory, and what it tells of it.
final class CCaller {
  var input: InputBytes
  /// Each operand and each result has one of these to itself.
  private let rooms: [UnsafeMutableRawBufferPointer]
  private var taken = 0
  /// Bytes of 0 and 1, which is what a mask may hold.
  private let truths = UnsafeMutableRawBufferPointer.allocate(byteCount: CCaller.roomBytes, alignment: 64)
  private var lists: [UnsafeMutableRawPointer] = []

  /// Bytes of a room.
  private static let roomBytes = 1 << 14

  init(_ bytes: [UInt8]) {
    input = InputBytes(bytes)
    rooms = (0..<12).map { index in
      let room = UnsafeMutableRawBufferPointer.allocate(byteCount: Self.roomBytes, alignment: 64)
      // Small Floats.
      for offset in stride(from: 0, to: room.count, by: 4) {
        room.storeBytes(of: Float((offset / 4 * (index + 3)) % 7) - 3, toByteOffset: offset, as: Float.self)
      }
      return room
    }
    for offset in truths.indices { truths[offset] = offset % 3 == 0 ? 1 : 0 }
  }

  deinit {
    for room in rooms { room.deallocate() }
    truths.deallocate()
    for list in lists { list.deallocate() }
  }

  /// Keeps what was allocated until the program ends.
  func keep(_ memory: UnsafeMutableRawPointer) { lists.append(memory) }

  /// A list of the program's.
  func list(_ numbers: [Int64]) -> UnsafePointer<Int64> {
    let list = UnsafeMutablePointer<Int64>.allocate(capacity: numbers.count + 1)
    list.initialize(from: numbers, count: numbers.count)
    keep(UnsafeMutableRawPointer(list))
    return UnsafePointer(list)
  }

  func doubles(_ numbers: [Double]) -> UnsafePointer<Double> {
    let list = UnsafeMutablePointer<Double>.allocate(capacity: numbers.count + 1)
    list.initialize(from: numbers, count: numbers.count)
    keep(UnsafeMutableRawPointer(list))
    return UnsafePointer(list)
  }

  /// A description of a tensor: of this shape and type as a rule, dense or turned; else of anything.
  ///
  /// Where it describes elements, all of them lie in a room of its own; where no room holds them it has no address, which has to be refused.
  func tensor(_ shape: [Int], _ type: Int = ATTENTION_FLOAT32) -> attention_tensor {
    var numbers = shape.map { Int64($0) }
    var tensor = attention_dense(nil, attention_type(type), Int32(shape.count), &numbers)
    if input.chance(2) { tensor.type = attention_type(input.int(-1...9)) }
    if input.chance(1) { tensor.rank = Int32(input.int(-1...6)) }
    withUnsafeMutableBytes(of: &tensor.shape) { change($0.assumingMemoryBound(to: Int64.self)) }
    withUnsafeMutableBytes(of: &tensor.strides) { change($0.assumingMemoryBound(to: Int64.self)) }
    tensor.data = place(of: tensor)
    // An address between elements.
    if input.chance(1), tensor.data != nil, input.chance(1) { tensor.data? += 1 }
    return tensor
  }

  private func change(_ numbers: UnsafeMutableBufferPointer<Int64>) {
    if input.chance(1) { numbers[input.int(0...3)] = Int64(input.anyInt()) }
    if input.chance(1) { numbers.swapAt(input.int(0...3), input.int(0...3)) }
  }

  private func place(of tensor: attention_tensor) -> UnsafeMutableRawPointer? {
    let room = Int(tensor.type) == ATTENTION_BOOL ? truths : rooms[taken % rooms.count]
    taken += 1
    let sizes = [1: 4, 2: 8, 3: 2, 4: 2, 5: 1, 6: 1, 7: 4]
    guard let size = sizes[Int(tensor.type)], (1...4).contains(tensor.rank) else { return room.baseAddress }
    let (lengths, steps) = (numbers(tensor.shape), numbers(tensor.strides))
    var (first, last) = (0, 0)
    for axis in 0..<Int(tensor.rank) {
      guard lengths[axis] > 0 else { return room.baseAddress }
      let (reach, overflow) = (lengths[axis] - 1).multipliedReportingOverflow(by: steps[axis])
      guard !overflow, abs(Double(reach)) < Double(Self.roomBytes) else { return nil }
      if reach < 0 { first += reach } else { last += reach }
    }
    return (last - first + 1) * size <= Self.roomBytes ? room.baseAddress.map { $0 - first * size } : nil
  }

  private func numbers(_ four: (Int64, Int64, Int64, Int64)) -> [Int] {
    [Int(four.0), Int(four.1), Int(four.2), Int(four.3)]
  }
}
