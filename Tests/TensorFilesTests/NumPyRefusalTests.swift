import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// Files that break one rule each, and the words of their refusal.
@Suite struct NumPyRefusalTests {
  private static func refusal(_ bytes: [UInt8]) -> String? {
    do throws(TensorFileError) {
      _ = try NumPyFile(bytes: bytes, name: "case")
      return nil
    } catch {
      return error.reason
    }
  }

  private static let types =
    "expected one of f8, f4, f2, i8, i4, i1, u1, b1 in little-endian order, at its byte"

  @Test func refusesOtherTypesByTheirDescr() {
    let cases: [([UInt8], String)] = [
      (NumPyFiles.bigEndian, "the header has descr \">f4\" means big-endian numbers, \(Self.types) 15"),
      (NumPyFiles.object, "the header has descr \"|O\" means pickled Python objects, \(Self.types) 14"),
      (NumPyFiles.complex, "the header has descr \"<c16\" means another type, \(Self.types) 16"),
      (NumPyFiles.text, "the header has descr \"<U2\" means another type, \(Self.types) 15"),
      (NumPyFiles.uint16, "the header has descr \"<u2\" means another type, \(Self.types) 15"),
      (
        NumPyFiles.structured,
        "the header has a structured descr, \"[('x', '<f4'), ('y', '<i4')], 'fortran_o\", expected one number type, "
          + "as '<f4', at its byte 10"
      ),
    ]
    for (bytes, reason) in cases { #expect(Self.refusal(bytes) == reason) }
  }

  @Test func refusesBrokenHeads() {
    let good = NumPyFiles.float32
    var cases: [([UInt8], String)] = [
      ([], "0 bytes are too few for the head of an .npy file, 10"),
      (Array(good[..<9]), "9 bytes are too few for the head of an .npy file, 10"),
      (Array("PK\u{3}\u{4}123456".utf8), "no .npy file: its first 6 bytes are not 0x93 and \"NUMPY\""),
      (
        Array(NumPyFiles.version2[..<11]),
        "11 bytes are too few for the head of an .npy file of version 2.0, 12"
      ),
      (Array(good[..<100]), "a header of 118 bytes, but only 90 follow its length"),
      (Array(good.dropLast()), "float32 with shape [2, 3] takes 24 bytes of data, but the file has 23"),
      (good + [0], "float32 with shape [2, 3] takes 24 bytes of data, but the file has 25"),
    ]
    for (major, minor) in [(UInt8(0), UInt8(0)), (4, 0), (1, 1), (255, 0)] {
      var bytes = good
      (bytes[6], bytes[7]) = (major, minor)
      cases.append((bytes, ".npy version \(major).\(minor), expected 1.0, 2.0 or 3.0"))
    }
    var long = NumPyFiles.version2
    long.replaceSubrange(8..<12, with: [255, 255, 255, 255])
    cases.append((long, "a header of 4294967295 bytes, expected at most 65535"))
    for (bytes, reason) in cases { #expect(Self.refusal(bytes) == reason) }
  }

  @Test(arguments: [
    ("", "its end, expected '{' at 0"),
    ("{}", "no key \"descr\" at 2"),
    ("{'descr': '<f4', 'fortran_order': False}", "no key \"shape\" at 40"),
    ("{'descr': '<f4', 'shape': (1,)}", "no key \"fortran_order\" at 31"),
    ("{'descr': '<f4', 'descr': '<f4'}", "the key \"descr\" comes twice at 31"),
    ("{'shape': (), 'shape': ()}", "the key \"shape\" comes twice at 25"),
    ("{'extra': 1}", "the key \"extra\", expected descr, fortran_order or shape at 9"),
    ("{'descr' '<f4'}", "\"'<f4'}\", expected ':' at 9"),
    ("{descr: '<f4'}", "\"descr: '<f4'}\" for a key, expected a string at 1"),
    ("{,}", "\",}\" for a key, expected a string at 1"),
    ("{'descr': '<f4' 'shape': ()}", "\"'shape': ()}\", expected '}' at 16"),
    ("{'descr': '<f4", "the string \"'<f4\" does not end, or is not ASCII at 10"),
    ("{'descr': '<f\u{E9}'}", "the string \"'<f\u{E9}'}\" does not end, or is not ASCII at 10"),
    ("{'descr': 4}", "\"4}\" for the descr, expected a string at 10"),
    ("{'fortran_order': 0}", "\"0}\" for fortran_order, expected True or False at 18"),
    ("{'fortran_order': true}", "\"true}\" for fortran_order, expected True or False at 18"),
    ("{'fortran_order': Falsehood}", "\"hood}\", expected '}' at 23"),
    ("{'shape': 3}", "\"3}\", expected '(' at 10"),
    ("{'shape': (3)}", "the shape (3) is no tuple, expected (3,) at 13"),
    ("{'shape': (3 4)}", "\"4)}\" in the shape, expected ',' or ')' at 13"),
    ("{'shape': (,)}", "\",)}\" in the shape, expected a length at 11"),
    ("{'shape': (-1,)}", "\"-1,)}\" in the shape, expected a length at 11"),
    ("{'shape': (03,)}", "\"03,)}\" in the shape, expected a length at 11"),
    ("{'shape': (3L,)}", "\"L,)}\" in the shape, expected ',' or ')' at 12"),
    ("{'shape': (1e9,)}", "\"e9,)}\" in the shape, expected ',' or ')' at 12"),
    ("{'shape': (9223372036854775808,)}", "the length \"9223372036854775808,)}\" does not fit an Int at 11"),
    ("{'shape': (1,1,1,1,1,1,1,1,1)}", "a shape of more than 8 axes at 27"),
    ("{'shape': (1,", "its end in the shape, expected a length at 13"),
    (
      "{'descr': '<f4', 'fortran_order': True, 'shape': (1,)} x",
      "\"x\" after the dict, expected its end at 55"
    ),
    ("{'descr': __import__('os')}", "\"__import__('os')}\" for the descr, expected a string at 10"),
  ])
  func refusesOtherHeaders(header: String, words: String) {
    let place = words.range(of: " at ", options: .backwards)
    let reason = place.map { words.replacingCharacters(in: $0, with: ", at its byte ") } ?? words
    #expect(Self.refusal(NumPyFileTests.file(header)) == "the header has \(reason)")
  }

  @Test func refusesSizesThatOverflow() {
    func header(_ shape: String) -> String { "{'descr': '<f4', 'fortran_order': False, 'shape': \(shape)}" }
    for (shape, text) in [
      ("(9223372036854775807,)", "[9223372036854775807]"),
      ("(4294967296, 4294967296)", "[4294967296, 4294967296]"),
      ("(0, 4294967296, 4294967296)", "[0, 4294967296, 4294967296]"),
    ] {
      #expect(
        Self.refusal(NumPyFileTests.file(header(shape)))
          == "the size of float32 with shape \(text) does not fit an Int")
    }
    #expect(
      Self.refusal(NumPyFileTests.file(header("(2305843009213693951,)")))
        == "float32 with shape [2305843009213693951] takes 9223372036854775804 bytes of data, but the file has 0"
    )
  }

  @Test func acceptsKeysInAnyOrderAndQuotes() throws {
    let header = "{\"shape\":(2,\n) ,'fortran_order' :True,'descr':\"|u1\"}\n\n"
    let file = try NumPyFile(bytes: NumPyFileTests.file(header, data: [3, 4]))
    #expect(try file.tensor(as: UInt8.self).elements == [3, 4])
  }

  @Test(arguments: 0..<8) func survivesDamage(seed: UInt64) throws {
    var generator = SplitMix(seed: seed)
    let originals = [
      NumPyFiles.float32, NumPyFiles.fortran3, NumPyFiles.bool, NumPyFiles.version2, NumPyFiles.structured,
    ]
    var (accepted, refused) = (0, 0)
    for _ in 0..<3_000 {
      var bytes = generator.pick(originals)
      for _ in 0..<generator.int(1...2) {
        let position = generator.int(0...min(bytes.count - 1, generator.chance(80) ? 75 : 1_000))
        switch generator.int(0...4) {
        case 0: bytes[position] ^= 1 << UInt8(generator.int(0...7))
        case 1: bytes[position] = UInt8(generator.int(0x30...0x39))
        case 2: bytes.remove(at: position)
        case 3: bytes.insert(generator.pick(Array("'(),: 09{}".utf8)), at: position)
        default: if generator.chance(20) { bytes.removeLast(bytes.count - position) }
        }
        if bytes.isEmpty { bytes = [0] }
      }
      do throws(TensorFileError) {
        let file = try NumPyFile(bytes: bytes)
        let doubles = try file.tensor(convertedTo: Double.self)
        #expect(doubles.shape == file.shape && doubles.elements.count <= bytes.count)
        accepted += 1
      } catch {
        #expect(!error.reason.isEmpty && !error.description.contains("\n"))
        refused += 1
      }
    }
    #expect(accepted > 100 && refused > 1_000, "seed \(seed): \(accepted) accepted, \(refused) refused")
  }
}
