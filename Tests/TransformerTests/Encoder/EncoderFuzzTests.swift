import Foundation
import LinearAlgebra
import TensorFiles
import TestSupport
import Testing
import Transformer

/// Files with bytes changed, cut or repeated: they are refused, or give vectors of some kind; nothing ends the process.
@Suite struct EncoderFuzzTests {
  private func damaged(_ bytes: [UInt8], _ random: inout SplitMix, head: Int) -> [UInt8] {
    var bytes = bytes
    for _ in 0..<random.int(1...4) {
      // Most of what can go wrong is in the head.
      let place =
        random.chance(80) ? random.int(0...min(head, bytes.count) - 1) : random.int(0...bytes.count - 1)
      switch random.int(0...3) {
      case 0: bytes[place] = UInt8(random.int(0...255))
      case 1: bytes[place] ^= 1 << UInt8(random.int(0...7))
      case 2: bytes[place] = random.pick([0, 1, 0x7F, 0x80, 0xFF])
      default: if random.chance(10) { bytes.removeLast(bytes.count - place - 1) }
      }
    }
    return bytes
  }

  private func use(_ path: String, _ random: inout SplitMix) {
    let weights = random.pick(WeightType.allCases)
    do {
      let encoder = try SentenceEncoder(path: path, weights: weights)
      let vectors = try encoder.encode([
        "ab ba", "", "abba xx b ab ab ab ab ab ab ab ab ab ab ab ab ab ab ab",
      ])
      #expect(vectors.shape == [3, encoder.width])
    } catch {
      #expect(!error.description.contains("\n"), "\(error)")
    }
  }

  @Test func damagedGGUFFiles() throws {
    let directory = try TemporaryDirectory()
    let bytes = TinyBERT().gguf()
    var random = SplitMix(seed: 11)
    for _ in 0..<400 {
      use(try directory.write(damaged(bytes, &random, head: 2500), to: "model.gguf"), &random)
    }
  }

  @Test func damagedFolders() throws {
    let files = TinyBERT.modules(longest: 9)
    let folder = try TinyBERT().folder(files: files)
    let names = ["config.json", "model.safetensors", "tokenizer.json"] + files.keys.sorted()
    let whole = try names.map { try [UInt8](Data(contentsOf: folder.url.appendingPathComponent($0))) }
    var random = SplitMix(seed: 12)
    for _ in 0..<400 {
      let index = random.int(0...names.count - 1)
      try folder.write(damaged(whole[index], &random, head: 4000), to: names[index])
      use(folder.path, &random)
      try folder.write(whole[index], to: names[index])
    }
  }
}
