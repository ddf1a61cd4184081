import Foundation
import Tensors
import TestSupport
import Testing

#if canImport(FoundationXML)
  import FoundationXML
#endif

/// The heat maps: well-formed, self-contained, labelled and small.
@Suite struct InspectFigureTests {
  /// What an XML parser finds in a drawing.
  final class Reader: NSObject, XMLParserDelegate {
    private(set) var elements: [String: Int] = [:]
    private(set) var attributes: Set<String> = []
    private(set) var strokes: Set<String> = []
    private(set) var fills: Set<String> = []
    private(set) var texts: [String] = []
    private var text = ""

    func parser(
      _ parser: XMLParser, didStartElement name: String, namespaceURI: String?, qualifiedName: String?,
      attributes values: [String: String]
    ) {
      elements[name, default: 0] += 1
      attributes.formUnion(values.keys)
      if let stroke = values["stroke"], name == "path" { strokes.insert(stroke) }
      if let fill = values["fill"], name == "rect" { fills.insert(fill) }
      text = ""
    }

    func parser(_ parser: XMLParser, foundCharacters string: String) { text += string }

    func parser(
      _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
    ) {
      if name == "text" || name == "title" { texts.append(text) }
      text = ""
    }
  }

  /// Draws a case, and reads the drawing with an XML parser.
  private func draw(_ input: String, _ flags: [String]) throws -> (svg: String, reader: Reader) {
    let directory = try TemporaryDirectory()
    let path = directory.file("map.svg")
    let result = try runAttention(["inspect", input, "--svg", path] + flags)
    #expect(result.status == 0, "\(result)")
    let data = try Data(contentsOf: URL(fileURLWithPath: path))
    let parser = XMLParser(data: data)
    let reader = Reader()
    parser.delegate = reader
    #expect(parser.parse(), "\(flags): \(String(describing: parser.parserError)) line \(parser.lineNumber)")
    return (String(decoding: data, as: UTF8.self), reader)
  }

  private func draw(_ contents: CaseContents, _ flags: [String]) throws -> (svg: String, reader: Reader) {
    let directory = try TemporaryDirectory()
    return try draw(contents.write(to: directory.file("case.safetensors")), flags)
  }

  @Test(arguments: ["weights", "norms"]) func aLayersHeadHasAllItsTokens(measure: String) throws {
    let (svg, reader) = try draw(InspectTests.layer, ["--head", "8", "--measure", measure])
    #expect(svg.utf8.count < 150_000)
    // 174 rows and columns, the head's title, five ticks, the measure and a note.
    #expect(reader.elements["text"] == 2 * 174 + 8, "\(reader.elements)")
    #expect(reader.texts.filter { $0 == "[SEP]" }.count == 2)
    #expect(reader.texts.contains { $0.contains("minilm_layer3, head 8") })
    #expect(reader.strokes.count > 20, "\(reader.strokes)")
    // Nothing is fetched and nothing runs.
    #expect(Set(reader.elements.keys) == ["svg", "title", "rect", "text", "g", "path"], "\(reader.elements)")
    #expect(!reader.attributes.contains { $0.hasPrefix("on") || $0.contains("href") || $0 == "style" })
  }

  @Test func severalHeadsAreSmallMultiples() throws {
    let (_, reader) = try draw(InspectTests.layer, [])
    for head in 0..<12 { #expect(reader.texts.contains("head \(head)"), "\(head)") }
    #expect(reader.texts.contains("Each cell: the largest of 2 × 2 neighbours."))
  }

  @Test func fewCellsHaveTips() throws {
    let (_, reader) = try draw(
      InspectTests.uniform(), ["--head", "0", "--query", "0,2", "--measure", "norms"])
    #expect(reader.texts.contains("2 → 1: 0.5") && reader.texts.contains("0 → 3: 2"), "\(reader.texts)")
    #expect(!reader.texts.contains { $0.hasPrefix("1 → ") })
    let (_, part) = try draw(InspectTests.uniform(), ["--head", "0", "--query", "0", "--key", "2...3"])
    #expect(part.texts.contains("Rows: 1 of 3 queries. Columns: 2 of 4 keys."), "\(part.texts)")
    #expect(part.texts.filter { $0.contains(" → ") } == ["0 → 2: 0.25", "0 → 3: 0.25"])
  }

  @Test func longSequencesShareCells() throws {
    // One query looks at key 700 alone; the others at all keys.
    var queries = Tensor<Float>.zeros([1, 1, 600, 1])
    var keys = Tensor<Float>.zeros([1, 1, 1000, 1])
    queries[0, 0, 599, 0] = 100
    keys[0, 0, 700, 0] = 1
    let contents = CaseContents(
      [:],
      [
        "Q": queries, "K": keys, "V": Tensor<Float>.zeros([1, 1, 1000, 1]),
      ])
    let (svg, reader) = try draw(contents, ["--head", "0"])
    #expect(reader.texts.contains("Each cell: the largest of 3 × 4 neighbours."), "\(reader.texts.suffix(4))")
    #expect(reader.texts.contains("594–596") && reader.texts.contains("700–703"))
    // Of 200 rows of cells every 6th has a label, of 250 columns every 7th; the rest are title, ticks and notes.
    #expect(reader.elements["text"] == 34 + 36 + 9, "\(reader.elements)")
    // The bright weight did not disappear among its neighbours: one dark cell.
    let dark = try #require(svg.split(separator: "\n").last { $0.hasPrefix("<path") })
    #expect(dark.hasSuffix("d=\"m175 199h1\"/>"), "\(dark)")
  }

  @Test func whatIsNotFiniteHasAColourOfItsOwn() throws {
    var contents = try InspectTests.uniform()
    var queries = Tensor<Float>.zeros([1, 2, 3, 2])
    queries[0, 0, 0, 0] = .nan
    contents.tensors["Q"] = queries
    let (_, reader) = try draw(contents, ["--head", "0"])
    #expect(reader.texts.contains("not finite") && reader.fills.contains("#d6336c"))
    let (_, other) = try draw(contents, ["--head", "1"])
    #expect(!other.texts.contains("not finite") && !other.fills.contains("#d6336c"))
  }

  @Test func emptySidesAreFine() throws {
    let contents = CaseContents(
      [:],
      [
        "Q": Tensor<Float>.zeros([1, 2, 3, 2]), "K": Tensor<Float>.zeros([1, 2, 0, 2]),
        "V": Tensor<Float>.zeros([1, 2, 0, 2]),
      ])
    _ = try draw(contents, ["--head", "0"])
    _ = try draw(contents, [])
  }
}
