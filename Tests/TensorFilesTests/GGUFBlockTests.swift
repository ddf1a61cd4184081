import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// Weights of every storage type, to the bit.
@Suite struct GGUFBlockTests {
  /// Random blocks against ``GGUFBlocks``, the formats' definition weight by weight.
  @Test(arguments: GGUFTensorType.allCases) func followsTheDefinition(type: GGUFTensorType) throws {
    var generator = SplitMix(seed: UInt64(type.id) + 1)
    for (rows, blocks) in [(1, 1), (3, 1), (2, 5), (64, 7)] {
      // So that plain numbers have a tail that fills no vector.
      let length = type.blockSize * (type.blockSize == 1 ? blocks * 11 : blocks)
      var file = GGUFBytes()
      file.tensors = [GGUFBytes.tensor("x", [UInt64(length), UInt64(rows)], type: type.id, offset: 0)]
      let byteCount = rows * length / type.blockSize * type.blockByteCount
      file.data = (0..<byteCount).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 40) }
      let opened = try GGUFFile(bytes: file.bytes)
      let expected = GGUFBlocks.weights(file.data, type)
      let whole = try opened.tensor("x", convertedTo: Float.self).elements
      try Self.compare(whole, expected, "\(type) [\(rows), \(length)]")
      let entry = try #require(opened["x"])
      for row in [0, rows / 2, rows - 1] {
        // One float more, which must stay.
        var floats = [Float](repeating: 77, count: length + 1)
        floats.withUnsafeMutableBufferPointer {
          opened.readRows(entry, rows: row..<row + 1, into: $0.baseAddress!)
        }
        #expect(floats[length] == 77)
        try Self.compare(
          Array(floats.dropLast()), Array(expected[row * length..<(row + 1) * length]), "\(type), row \(row)")
      }
    }
  }

  /// Every bit pattern of the types of 16 bits.
  @Test(arguments: [GGUFTensorType.f16, .bf16]) func widensExactly(type: GGUFTensorType) throws {
    var file = GGUFBytes(tensors: [GGUFBytes.tensor("x", [65_536], type: type.id, offset: 0)])
    file.data = (0...UInt16.max).flatMap { GGUFBytes.number($0) }
    let weights = try GGUFFile(bytes: file.bytes).tensor("x", convertedTo: Float.self).elements
    for (bits, weight) in zip(0...UInt16.max, weights) {
      let exact = type == .f16 ? Float(Float16(bitPattern: bits)) : Float(bitPattern: UInt32(bits) << 16)
      #expect(weight == exact && weight.sign == exact.sign || weight.isNaN && exact.isNaN, "\(type) \(bits)")
    }
  }

  /// Conversion rounds the Float, once, whatever way the weights took.
  @Test(arguments: [GGUFTensorType.f32, .bf16, .q4_1, .q6_K]) func roundsOnce(type: GGUFTensorType) throws {
    var generator = SplitMix(seed: 5)
    let (rows, length) = (300, 256)
    var file = GGUFBytes(tensors: [GGUFBytes.tensor("x", [256, 300], type: type.id, offset: 0)])
    let byteCount = rows * length / type.blockSize * type.blockByteCount
    file.data = (0..<byteCount).map { _ in UInt8(truncatingIfNeeded: generator.next() >> 40) & 0x7B }
    let opened = try GGUFFile(bytes: file.bytes)
    let floats = try opened.tensor("x", convertedTo: Float.self).elements
    #expect(try opened.tensor("x", convertedTo: Float16.self).elements == floats.map { Float16($0) })
    #expect(try opened.tensor("x", convertedTo: BFloat16.self).elements == floats.map { BFloat16($0) })
    #expect(try opened.tensor("x", convertedTo: Double.self).elements == floats.map { Double($0) })
    #expect(
      try opened.tensor("x", convertedTo: Int32.self).elements == floats.map { Int32(nearest: Double($0)) })
  }

  /// A file that the Python package gguf 0.19 wrote, with FNV-1a hashes of the floats that it decodes each tensor to.
  @Test func agreesWithAnotherReader() throws {
    let file = try GGUFFile(bytes: Array(try #require(Data(base64Encoded: GGUFBlocks.foreignFile))))
    #expect(file.version == 3 && file.strings("tokenizer.ggml.tokens") == ["a", "\u{E9}\u{1F600}", ""])
    #expect(
      file.numbers("tokenizer.ggml.scores") == [0.5, -1, 2] && file.number("eps") == Double(Float(1e-5)))
    #expect(
      file.integer("n") == 7 && file.boolean("yes") == true && file.string("general.architecture") == "none")
    #expect(file.names == GGUFBlocks.foreignHashes.map(\.name))
    for (name, shape, hash) in GGUFBlocks.foreignHashes {
      let tensor = try file.tensor(name, convertedTo: Float.self)
      var found: UInt64 = 0xCBF2_9CE4_8422_2325
      for byte in tensor.bits { found = (found ^ UInt64(byte)) &* 0x100_0000_01B3 }
      #expect(tensor.shape == shape && found == hash, "\(name)")
    }
  }

  private static func compare(_ found: [Float], _ expected: [Float], _ what: String) throws {
    try #require(found.count == expected.count, "\(what)")
    let wrong = zip(found, expected).enumerated().first { _, pair in
      pair.0.bitPattern != pair.1.bitPattern && !(pair.0.isNaN && pair.1.isNaN)
    }
    if let (index, (found, expected)) = wrong {
      Issue.record("\(what): weight \(index) is \(found), expected \(expected)")
    }
  }
}
