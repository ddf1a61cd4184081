import TensorFiles
import Tensors
import TestSupport
import Testing

/// Reading what NumPy wrote, and writing what NumPy would.
@Suite struct NumPyFileTests {
  private static func read<E: TensorElement>(
    _ bytes: [UInt8], _ shape: Shape, _ elements: [E], sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let file = try NumPyFile(bytes: bytes)
    #expect(file.elementType == E.elementType && file.shape == shape, sourceLocation: sourceLocation)
    let tensor: Tensor<E> = try file.tensor()
    #expect(tensor.shape == shape && tensor.elements == elements, sourceLocation: sourceLocation)
    let doubles = try file.tensor(convertedTo: Double.self).elements
    #expect(doubles == elements.map(\.doubleValue), sourceLocation: sourceLocation)
  }

  @Test func readsEachType() throws {
    try Self.read(NumPyFiles.float32, [2, 3], [Float(-2.5), -1.5, -0.5, 0.5, 1.5, 2.5])
    try Self.read(NumPyFiles.float64, [3], [1.5, -0.0, Double.infinity])
    try Self.read(NumPyFiles.float16, [2, 2], [Float16(1), 2, 3, -4])
    try Self.read(NumPyFiles.int8, [4], [Int8(-128), -1, 0, 127])
    try Self.read(NumPyFiles.uint8, [3], [UInt8(0), 1, 255])
    try Self.read(NumPyFiles.int32, [1, 2], [Int32.min, Int32.max])
    try Self.read(NumPyFiles.int64, [], [Int64.min])
    try Self.read(NumPyFiles.bool, [3], [true, false, true])
    try Self.read(NumPyFiles.empty, [0, 5], [Float]())
    try Self.read(NumPyFiles.version2, [2], [Float(0), 1])
    try Self.read(NumPyFiles.version3, [2], [Float(0), 1])
  }

  @Test func readsFortranOrderInPlace() throws {
    try Self.read(NumPyFiles.fortran, [2, 3], [Float(0), 1, 2, 3, 4, 5])
    try Self.read(NumPyFiles.fortran3, [2, 3, 4], (0..<24).map { Int32($0) })
    let file = try NumPyFile(bytes: NumPyFiles.fortran3)
    #expect(file.isFortranOrder)
    #expect(try file.tensor(as: Int32.self).strides == [1, 2, 6])
  }

  @Test func mapsAlignedDataAndCopiesOther() throws {
    let directory = try TemporaryDirectory()
    for padding in 0..<8 {
      var bytes = NumPyFiles.float64
      let header = bytes[10..<bytes.count - 24]
      bytes = Self.file(
        String(decoding: header, as: UTF8.self) + String(repeating: " ", count: padding),
        data: Array(bytes.suffix(24)))
      let file = try NumPyFile(path: try directory.write(bytes, to: "x.npy"))
      let (first, second) = (try file.tensor(as: Double.self), try file.tensor(as: Double.self))
      #expect(first.elements == [1.5, -0.0, .infinity] && second.elements == first.elements, "\(padding)")
      let isSameMemory = first.withUnsafePointer { $0 } == second.withUnsafePointer { $0 }
      #expect(isSameMemory == (padding == 0), "\(padding)")
    }
  }

  @Test func refusesOtherTypesAndBytes() throws {
    #expect(throws: TensorFileError.self) { try NumPyFile(bytes: NumPyFiles.float32).tensor(as: Double.self) }
    var bytes = NumPyFiles.bool
    bytes[bytes.count - 2] = 2
    let file = try NumPyFile(bytes: bytes, name: "x")
    #expect {
      try file.tensor(convertedTo: Float.self)
    } throws: {
      "\($0)" == "x: the byte 2 for a bool at byte 129, expected 0 or 1"
    }
  }

  @Test func writesTheBytesOfNumPy() throws {
    func same<E: TensorElement>(_ bytes: [UInt8], _: E.Type) throws {
      let tensor: Tensor<E> = try NumPyFile(bytes: bytes).tensor()
      #expect(try NumPyWriter.bytes(of: tensor) == bytes, "\(E.self)")
    }
    try same(NumPyFiles.float32, Float.self)
    try same(NumPyFiles.float64, Double.self)
    try same(NumPyFiles.float16, Float16.self)
    try same(NumPyFiles.int8, Int8.self)
    try same(NumPyFiles.uint8, UInt8.self)
    try same(NumPyFiles.int32, Int32.self)
    try same(NumPyFiles.int64, Int64.self)
    try same(NumPyFiles.bool, Bool.self)
    try same(NumPyFiles.empty, Float.self)
  }

  @Test func writesViewsToFiles() throws {
    let directory = try TemporaryDirectory(["x.npy": "old"])
    let path = directory.file("x.npy")
    let tensor = try Tensor((0..<24).map { Float($0) }, shape: [2, 3, 4]).permuted(2, 0, 1)
    try NumPyWriter.write(tensor, to: path)
    #expect(try NumPyFile(path: path).tensor(as: Float.self) == tensor)
    #expect(try directory.contents() == ["x.npy"])
    for shape: Shape in [[], [1], [1_000_000, 0, 3], [1, 1, 1, 1, 1, 1, 1, 2]] {
      try NumPyWriter.write(Tensor<Double>(repeating: 3, shape: shape), to: path)
      let read = try NumPyFile(path: path)
      #expect(read.shape == shape)
      #expect(try read.tensor(as: Double.self).elements.allSatisfy { $0 == 3 }, "\(shape)")
    }
  }

  @Test func refusesToWriteBFloat16() throws {
    let directory = try TemporaryDirectory(["x.npy": "old"])
    #expect {
      try NumPyWriter.write(Tensor<BFloat16>.zeros([2]), to: directory.file("x.npy"))
    } throws: {
      ($0 as? TensorFileError)?.reason
        == "the .npy format has no bfloat16: convert the tensor to float32, which is exact"
    }
    #expect(try contents(of: directory.file("x.npy")) == Array("old".utf8))
  }

  /// A file of version 1.0 with this header as it is.
  static func file(_ header: String, data: [UInt8] = [], version: UInt8 = 1) -> [UInt8] {
    let count = UInt16(header.utf8.count)
    return [0x93] + Array("NUMPY".utf8) + [version, 0, UInt8(count & 255), UInt8(count >> 8)]
      + Array(header.utf8) + data
  }
}
