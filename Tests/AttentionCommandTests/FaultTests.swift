import Foundation
import TensorFiles
import Tensors
import TestSupport
import Testing

/// Files that mean harm, and whole kinds of them.
@Suite struct FaultTests {
  /// Expects that `run` and `inspect` refuse a case in the same words, in one line, and leave nothing.
  private func expectRefusal(_ input: String, names expected: String, limits: String? = nil) throws {
    let directory = try TemporaryDirectory()
    for command in [["run", input, "-o", directory.file("out.safetensors")], ["inspect", input]] {
      let result = try runAttention(command + ["--threads", "1"], limits: limits, seconds: 60)
      #expect(result.status == 1 && result.errorLines.count == 1, "\(command): \(result)")
      #expect(result.standardError.hasPrefix("Error: \(expected): "), "\(command): \(result)")
      #expect(result.standardOutput.isEmpty, "\(command): \(result)")
    }
    #expect(try directory.contents().isEmpty)
  }

  @Test(arguments: [
    ("no_keys_wide_values", "Q and V"), ("paged_no_pages_overflowing_block", "K"),
    ("paged_value_block_shorter", "V"), ("scale_with_nul", "scale"),
  ])
  func hostileFilesAreRefused(name: String, expected: String) throws {
    let fixtures = Fixture.all(in: "faults").filter(\.isHostile)
    #expect(fixtures.count == 4)
    let fixture = try #require(fixtures.first { $0.description.hasSuffix("hostile_\(name)") })
    // Two gigabytes are less than one of them would take, whatever this machine has.
    try expectRefusal(fixture.path, names: expected, limits: "-v 2000000")
  }

  /// Pages of values that are longer than those of keys would be written past the end.
  @Test(arguments: [1, 3, 5, 1000]) func pagesOfValuesAreAsLongAsThoseOfKeys(length: Int) throws {
    let directory = try TemporaryDirectory()
    let contents = CaseContents(
      [:],
      [
        "Q": Tensor<Float>.zeros([1, 1, 1, 2]), "K": Tensor<Float>.zeros([2, 4, 1, 2]),
        "V": Tensor<Float>.zeros([2, length, 1, 2]),
        "block_table": try Tensor<Int32>([1, 0], shape: [1, 2]),
      ])
    try expectRefusal(contents.write(to: directory.file("case.safetensors")), names: "V")
  }

  /// Axes that are long beside one of length 0 take no room, and no time.
  @Test(
    arguments: [
      // No pages, or none that a sequence has, of any length.
      ([1, 1, 2, 2], [0, 1 << 40, 1, 2], [1, 0]), ([1, 1, 2, 2], [0, 1 << 60, 1, 1], [1, 0]),
      ([0, 1, 2, 2], [0, 1 << 40, 1, 2], [0, 0]),
      // As many sequences as can be counted, without a query or a key.
      ([Int(Int32.max), 1, 0, 2], [0, 4, 1, 2], [Int(Int32.max), 0]),
      ([Int(Int32.max), 1, 0, 2], [0, 0, 1, 2], [Int(Int32.max), 0]),
    ] as [(Shape, Shape, Shape)])
  func emptyPagesCostNothing(queries: Shape, pages: Shape, table: Shape) throws {
    let directory = try TemporaryDirectory()
    var queries = queries
    queries[3] = pages[3]
    let contents = CaseContents(
      [:],
      [
        "Q": Tensor<Float>.zeros(queries), "K": Tensor<Float>.zeros(pages), "V": Tensor<Float>.zeros(pages),
        "block_table": Tensor<Int32>.zeros(table),
      ])
    let input = try contents.write(to: directory.file("case.safetensors"))
    let output = directory.file("out.safetensors")
    let flags = ["--threads", "1"]
    let run = try runAttention(["run", input, "-o", output] + flags, limits: "-v 1000000", seconds: 60)
    #expect(run.status == 0, "\(run)")
    let values = try SafetensorsFile(path: output).tensor("Y", as: Float.self)
    #expect(values.shape == queries && values.elements.allSatisfy { $0 == 0 })
    let inspect = try runAttention(["inspect", input] + flags, limits: "-v 1000000", seconds: 60)
    // There is no sequence 0 to show where there is none at all.
    let expected: Int32 = queries[0] == 0 ? 1 : 0
    #expect(inspect.status == expected, "\(inspect)")
  }

  /// One page of 64 KiB that a table names 2¹⁶ times would be 4 GiB in one piece: every command reads it where it lies.
  @Test(arguments: [false, true]) func aPageThatIsNamedOftenIsReadWhereItLies(isInt8: Bool) throws {
    let directory = try TemporaryDirectory()
    var contents = CaseContents(
      [:],
      [
        "Q": Tensor<Float>.zeros([1, 1, 1, 1024]), "K": Tensor<Float>.zeros([1, 16, 1, 1024]),
        "V": Tensor<Float>.zeros([1, 16, 1, 1]), "block_table": Tensor<UInt8>.zeros([1, 1 << 16]),
      ])
    if isInt8 {
      contents.tensors["K"] = Tensor<Int8>.zeros([1, 16, 1, 1024])
      contents.tensors["k_scale"] = Tensor<Float>.zeros([1, 16, 1])
    }
    let input = try contents.write(to: directory.file("case.safetensors"))
    let output = directory.file("out.safetensors")
    for command in [
      ["run", input, "-o", output], ["run", input, "-o", output, "--qk-matmul-output-mode", "0"],
      ["inspect", input],
    ] {
      let result = try runAttention(command + ["--threads", "1"], limits: "-v 1000000", seconds: 60)
      #expect(result.status == 0, "\(result)")
    }
  }
}
