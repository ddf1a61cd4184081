import Foundation
import Testing
import Transformer

@testable import SemanticSearch

struct SemanticSearchTests {
  @Test func paragraphsAndTheirLines() {
    let text = "one\ntwo\n\n  \r\nthree\r\n\r\n\r\nfour"
    let found = paragraphs(of: text, file: "f").map { "\($0.line) \($0.text)" }
    #expect(found == ["1 one\ntwo", "5 three", "8 four"])
    #expect(paragraphs(of: "", file: "f").isEmpty)
    #expect(paragraphs(of: "\n\n", file: "f").isEmpty)
  }

  @Test func readsTextFilesOnly() throws {
    try withFolder { folder in
      try Data("A text.\n\nAnother.".utf8).write(to: folder.appending(path: "a.md"))
      try Data([0xFF, 0xFE, 0x41]).write(to: folder.appending(path: "b.bin"))
      try Data([0x41, 0, 0x42]).write(to: folder.appending(path: "c.bin"))
      try Data("hidden".utf8).write(to: folder.appending(path: ".d"))
      let inner = folder.appending(path: "inner")
      try FileManager.default.createDirectory(at: inner, withIntermediateDirectories: true)
      try Data("Deep.".utf8).write(to: inner.appending(path: "e.txt"))
      var skipped: [String] = []
      let found = try paragraphs(ofFolder: folder.path) { path, _ in skipped.append(path) }
      #expect(found.map(\.text) == ["A text.", "Another.", "Deep."])
      #expect(skipped.map { $0.suffix(5) } == ["b.bin", "c.bin"])
    }
  }

  /// What is meant, not what words are the same: no query shares a noun with its answer.
  @Test(arguments: [
    ("How do I get my money back?", "Refunds are paid within two weeks."),
    ("felines", "The cat sleeps on the sofa all day."),
    ("How warm will it be tomorrow?", "The forecast says sunshine and 25 degrees for Tuesday."),
  ])
  func findsWhatIsMeant(_ query: String, _ answer: String) throws {
    let texts = [
      "Refunds are paid within two weeks.", "The cat sleeps on the sofa all day.",
      "The forecast says sunshine and 25 degrees for Tuesday.", "Compile the package with the release flag.",
    ]
    let paragraphs = texts.map { Paragraph(file: "f", line: 1, text: $0) }
    let found = try search(paragraphs, for: query, count: 2, with: Self.encoder.get())
    #expect(found.count == 2)
    #expect(found.first?.paragraph.text == answer, "\(query): \(found)")
    #expect(found[0].cosine > found[1].cosine && found[0].cosine <= 1.001)
  }

  @Test func aTextIsNearestToItself() throws {
    let text = "Attention weighs values by keys."
    let encoder = try Self.encoder.get()
    let found = try search([Paragraph(file: "f", line: 3, text: text)], for: text, count: 9, with: encoder)
    #expect(abs(found[0].cosine - 1) < 1e-5)
    #expect(found[0].description == "1.0 f:3 \(text)")
    #expect(try search([], for: text, count: 1, with: encoder).isEmpty)
  }

  @Test func arguments() throws {
    let command = try Command(["docs", "--count", "3", "a query", "--model", "m"])
    #expect(command.folder == "docs" && command.query == "a query" && command.model == "m")
    #expect(command.count == 3)
    for wrong in [
      ["docs"], ["a", "b", "c"], ["a", "b", "--count", "0"], ["a", "b", "--model"], ["a", "--all"],
    ] {
      #expect(throws: ModelError.self, "\(wrong)") { try Command(wrong) }
    }
    let error = #expect(throws: ModelError.self) { try paragraphs(ofFolder: "/no/such") { _, _ in } }
    #expect(error?.description == "/no/such: no such folder")
  }

  /// `make models` brings it.
  static let encoder = Result {
    try SentenceEncoder(path: repository + "/Models/all-minilm-l6-v2")
  }

  private static var repository: String {
    URL(fileURLWithPath: #filePath).pathComponents.dropLast(5).joined(separator: "/")
  }

  private func withFolder(_ body: (URL) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "search-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    try body(folder)
  }
}
