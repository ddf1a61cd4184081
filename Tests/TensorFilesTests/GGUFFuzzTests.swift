import TensorFiles
import Tensors
import TestSupport
import Testing

/// Random damage to a valid file: it is refused or read, and what is read agrees with itself.
@Suite struct GGUFFuzzTests {
  @Test(arguments: 0..<8) func survivesDamage(seed: UInt64) throws {
    let original = Self.valid()
    let headCount = original.count - Self.dataCount
    var generator = SplitMix(seed: seed)
    var (accepted, refused) = (0, 0)
    for _ in 0..<3_000 {
      var bytes = original
      for _ in 0..<generator.int(1...3) { Self.damage(&bytes, headCount, &generator) }
      do {
        try Self.readAll(GGUFFile(bytes: bytes), byteCount: bytes.count)
        accepted += 1
      } catch let error as TensorFileError {
        #expect(!error.reason.isEmpty && !error.description.contains("\n"))
        refused += 1
      }
    }
    // Damage to numbers, to text or to data is no defect of the file; most other damage is.
    #expect(accepted > 200 && refused > 1_000, "seed \(seed): \(accepted) accepted, \(refused) refused")
  }

  private static let dataCount = 32 * 40

  private static func valid() -> [UInt8] {
    typealias B = GGUFBytes
    var file = GGUFBytes()
    file.keys = [
      B.key("general.alignment", 4, B.number(UInt32(32))), B.key("name", 8, B.text("caf\u{E9}")),
      B.key("yes", 7, [1]), B.key("eps", 6, B.number(Float(1e-5))), B.key("n", 10, B.number(UInt64(7))),
      B.key("tokens", 9, B.array(8, 3, B.text("a") + B.text("") + B.text("\u{1F600}bcdefghij"))),
      B.key("scores", 9, B.array(6, 3, B.number(Float(1)) + B.number(Float(2)) + B.number(Float(3)))),
      B.key("flags", 9, B.array(7, 2, [0, 1])),
      B.key("nested", 9, B.array(9, 2, B.array(3, 1, [1, 0]) + B.array(8, 1, B.text("x")))),
    ]
    var offset: UInt64 = 0
    for type in GGUFTensorType.allCases {
      let length = max(type.blockSize, 8)
      file.tensors.append(B.tensor("blk.\(type)", [UInt64(length)], type: type.id, offset: offset))
      offset += (UInt64(length / type.blockSize * type.blockByteCount) + 31) / 32 * 32
    }
    precondition(offset <= dataCount)
    file.data = (0..<dataCount).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    return file.bytes
  }

  /// Most of it in the head: in the data there is nothing to refuse.
  private static func damage(_ bytes: inout [UInt8], _ headCount: Int, _ generator: inout SplitMix) {
    guard bytes.count > 1 else { return }
    let position = generator.int(0...min(generator.chance(95) ? headCount : .max, bytes.count - 1))
    let end = min(bytes.count, position + generator.int(1...12))
    switch generator.int(0...6) {
    case 0, 1: bytes[position] ^= 1 << UInt8(generator.int(0...7))
    case 2: bytes[position] = UInt8(generator.int(0...255))
    case 3: bytes.removeSubrange(position..<end)
    case 4: bytes.insert(contentsOf: bytes[position..<end], at: position)
    case 5: bytes.removeLast(generator.chance(50) ? 1 : bytes.count - position)
    default: for place in position..<end { bytes[place] = generator.pick([0, 0x7F, 0x80, 0xFF]) }
    }
  }

  /// Decodes every key and reads every row, between guards; whatever a file claims must lie inside it.
  private static func readAll(_ file: GGUFFile, byteCount: Int) throws {
    for key in file.metadataKeys {
      #expect(file.metadata(key) != nil, "\(key)")
      _ = (file.string(key), file.integer(key), file.number(key), file.boolean(key))
      _ = (file.integers(key), file.numbers(key))
      var total = 0
      let isText = file.stringBytes(key) { total += $0.reduce(1) { $0 &+ Int($1) } }
      #expect(isText == (file.strings(key) != nil), "\(key)")
    }
    for name in file.names {
      let entry = try #require(file[name], "\(name)")
      let count = try #require(entry.shape.checkedElementCount)
      #expect(entry.byteRange.count == count / entry.type.blockSize * entry.type.blockByteCount)
      #expect(entry.byteRange.upperBound <= byteCount)
      let length = entry.shape.fromEnd(1)
      var floats = [Float](repeating: 77, count: count + 2)
      floats.withUnsafeMutableBufferPointer {
        file.readRows(entry, rows: 0..<count / length, into: $0.baseAddress! + 1)
      }
      #expect(floats[0] == 77 && floats[count + 1] == 77)
      let tensor = try file.tensor(name, convertedTo: Float.self)
      #expect(tensor.bits == floats[1...count].withUnsafeBytes { Array($0) }, "\(name)")
    }
  }
}
