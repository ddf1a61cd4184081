import TensorFiles
import Tensors
import TestSupport
import Testing

/// Random damage to a valid file: it is refused or read, and what is read agrees with itself.
@Suite struct SafetensorsFuzzTests {
  private static let tokens: [String] = [
    "{", "}", "[", "]", ",", ":", "\"", "\\", "\\u0061", "\\ud800", "0", "1", "-", ".", "e9", "null", "true",
    " ", "\n",
    "9223372036854775807", "18446744073709551616", "\"F64\"", "\"BOOL\"", "\"dtype\"", "__metadata__", "[[",
    "{\"a\":",
    "\0", "\u{E9}",
  ]

  @Test(arguments: 0..<8) func survivesDamage(seed: UInt64) throws {
    let original = try Self.valid()
    var generator = SplitMix(seed: seed)
    var (accepted, refused) = (0, 0)
    for _ in 0..<5_000 {
      var bytes = original
      for _ in 0..<Int.random(in: 1...3, using: &generator) { Self.damage(&bytes, &generator) }
      if Bool.random(using: &generator) { Self.repairLength(&bytes) }
      do {
        try Self.readAll(SafetensorsFile(bytes: bytes), byteCount: bytes.count)
        accepted += 1
      } catch let error as TensorFileError {
        #expect(!error.reason.isEmpty)
        refused += 1
      }
    }
    // Damage to data, to white space or to text is no defect of the file; most other damage is.
    #expect(accepted > 50 && refused > 1_000, "seed \(seed): \(accepted) accepted, \(refused) refused")
  }

  private static func valid() throws -> [UInt8] {
    var writer = SafetensorsWriter(metadata: ["format": "pt", "note": "\"caf\u{E9}\"\n"])
    try writer.add("weight", Tensor<Float>.zeros([2, 3]))
    try writer.add("half", Tensor<Float16>.zeros([3]))
    try writer.add("flags", Tensor<Bool>.zeros([5]))
    try writer.add("ids", Tensor<Int64>.zeros([]))
    try writer.add("none", Tensor<Double>.zeros([4, 0]))
    return try writer.bytes()
  }

  private static func damage(_ bytes: inout [UInt8], _ generator: inout SplitMix) {
    guard !bytes.isEmpty else { return }
    let position = Int.random(in: 0..<bytes.count, using: &generator)
    let end = min(bytes.count, position + Int.random(in: 1...12, using: &generator))
    switch Int.random(in: 0..<7, using: &generator) {
    case 0: bytes[position] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: bytes[position] = UInt8.random(in: 0...255, using: &generator)
    case 2: bytes.removeSubrange(position..<end)
    case 3: bytes.insert(contentsOf: bytes[position..<end], at: position)
    case 4: bytes.removeLast(bytes.count - position)
    case 5: bytes[position] = UInt8.random(in: 0x30...0x39, using: &generator)
    default: bytes.insert(contentsOf: tokens.randomElement(using: &generator)?.utf8 ?? "".utf8, at: position)
    }
  }

  /// Makes the length point at the last brace again, so that damage inside the header is not hidden by a wrong length.
  private static func repairLength(_ bytes: inout [UInt8]) {
    guard bytes.count > 8, let brace = bytes.lastIndex(of: UInt8(ascii: "}")), brace >= 8 else { return }
    var end = brace + 1
    while end < bytes.count, bytes[end] == UInt8(ascii: " ") { end += 1 }
    bytes.replaceSubrange(0..<8, with: lengthField(UInt64(end - 8)))
  }

  /// Reads every tensor every way; whatever a file claims must lie inside it.
  private static func readAll(_ file: SafetensorsFile, byteCount: Int) throws {
    var end = 0
    for name in file.names {
      guard let entry = file[name] else {
        Issue.record("\(name) is in names, but has no entry")
        continue
      }
      #expect(entry.byteRange.lowerBound == end && entry.byteRange.upperBound < byteCount)
      end = entry.byteRange.upperBound
      #expect(
        entry.shape.checkedElementCount.map { $0 * entry.elementType.byteCount } == entry.byteRange.count)
      // Only as many as have bytes behind them: empty ones may have any other lengths.
      #expect(try file.tensor(name, convertedTo: Float.self).elements.count <= byteCount)
      try entry.elementType.withType { try same($0, file, name) }
    }
  }

  private static func same<E: TensorElement>(_: E.Type, _ file: SafetensorsFile, _ name: String) throws {
    #expect(try file.tensor(name, as: E.self).bits == file.tensor(name, convertedTo: E.self).bits)
  }
}
