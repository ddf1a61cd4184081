import ArgumentParser
import Attention
import AttentionInspection
import Foundation
import TensorFiles

/// `attention inspect CASE`: who looks at what in a case file, or in a layer of a model that reads a text, as text, JSON and heat maps.
struct InspectCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "inspect",
    abstract: "Show who looks at what: weights, what values contribute, entropy, rank.",
    discussion: """
      CASE is a file of Attention that `attention run` takes, and flags override its attributes as they do there. Of \
      each head the report tells the entropy of its weights (in nats, the mean over queries), the effective rank of its values (Roy and Vetterli 2007), the largest weight, and the keys that \
      received most: by weight, and by the norm of what they contributed, weight times value (Kobayashi et al. 2020). A \
      large weight on a short value contributes little. With --query it adds the keys that these queries look at.

      The metadata "tokens", a JSON array of strings, one for each position, gives names to queries and keys.

      With --model there is no CASE: the queries, keys and values are those of a layer of the model as it reads the text of \
      --prompt, and the tokens of the text are the names.

      Indices count from 0: a number, a range such as 8...11 or '8..<12' (quotes keep the shell from reading the <), or \
      several with commas between them.

      EXAMPLES:
        attention inspect case.safetensors
        attention inspect case.safetensors --head 3 --query 0,8...11 --top 3
        attention inspect case.safetensors --head 3 --svg head.svg
        attention inspect case.safetensors --head 3 --query 8...39 --key 0,8...39 --svg part.svg
        attention inspect case.safetensors --svg heads.svg --measure norms
        attention inspect case.safetensors --query all --format json --output report.json
        attention inspect --model model.gguf --prompt "The cat sat." --layer 3 --svg heads.svg
      """)

  /// Heads in one drawing: each takes memory and a panel.
  private static let largestPanelCount = 64

  /// Heads in one report: far more than models have. A file without tokens may have as many as an integer counts.
  private static let largestHeadCount = 4096

  /// How the report is written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case text
    case json
  }

  /// What heat maps show.
  enum Measure: String, CaseIterable, ExpressibleByArgument {
    case weights
    case norms
  }

  @OptionGroup var source: CaseArguments

  @OptionGroup(title: "A model in place of a case")
  var model: InspectedModel

  @Option(help: ArgumentHelp("Query heads, or all. (default: all)", valueName: "indices"))
  var head: IndexSelection?

  @Option(help: "The sequence of the batch.")
  var sequence = 0

  @Option(
    help: ArgumentHelp(
      "Queries whose keys are shown, and the rows of heat maps; or all. (default: none, and all rows)",
      valueName: "indices"))
  var query: IndexSelection?

  @Option(
    help: ArgumentHelp("With --svg, keys that are columns of heat maps. (default: all)", valueName: "indices")
  )
  var key: IndexSelection?

  @Option(help: "Keys that the text names of each head and query.")
  var top = 5

  @Option(help: "How the report is written; JSON has all keys of each head and query.")
  var format = Format.text

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the report goes. (default: standard output)", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Where to draw a heat map of each head, an SVG file.", valueName: "file"))
  var svg: String?

  @Option(help: "With --svg, what heat maps show.")
  var measure = Measure.weights

  func validate() throws {
    try model.check(besides: source)
    if sequence < 0 { throw ValidationError("--sequence: \(sequence), expected 0 or more") }
    if key != nil && svg == nil {
      throw ValidationError("--key: only heat maps have columns, expected --svg too")
    }
    if top < 0 { throw ValidationError("--top: \(top), expected 0 or more") }
    if let output, output == svg {
      throw ValidationError("--output and --svg: both are \(output), expected two files")
    }
  }

  func run() throws {
    if let path = model.model { return try inspectModel(at: path) }
    let (file, metadata) = try source.open(outputs: [("--output", output), ("--svg", svg)])
    let attributes = try CaseAttributes(metadata)
    let pool = source.pool
    func inspect<Element: AttentionElement>(_: Element.Type) throws {
      try source.warning {
        let (inspection, warnings) = try inspection(
          of: AttentionCase<Element>(file, attributes, on: pool), attributes, metadata, on: pool)
        try show(inspection)
        return warnings
      }
    }
    try inspect(checkCaseTensors(of: file))
  }

  /// The parts of a case that the flags choose, and warnings.
  func inspection<Element>(
    of attentionCase: AttentionCase<Element>, _ attributes: CaseAttributes, _ metadata: [String: String],
    on pool: WorkerPool
  ) throws -> (inspection: CaseInspection<Element>, warnings: [String]) {
    let operands = attentionCase.operands
    let inspector = try AttentionInspector(
      attentionCase.attention(on: pool), operands.queries, operands.keyValues)
    let labels = TokenLabels.of(metadata, queries: inspector.queryCount, keys: inspector.keyCount)
    let name = metadata["case"] ?? source.input.map { URL(fileURLWithPath: $0).lastPathComponent } ?? ""
    return (
      try inspection(of: inspector, name, (labels.queries, labels.keys)),
      warnings(ofIgnored: attributes.ignoredNames) + (labels.warning.map { [$0] } ?? [])
    )
  }

  /// The report, and the drawing if there is to be one.
  func texts<E>(of inspection: CaseInspection<E>) throws -> (report: String, drawing: String?) {
    (
      try report(of: inspection),
      try svg.map { _ in try inspection.figure(showsNorms: measure == .norms).svg() }
    )
  }

  /// Writes the report, and the drawing if there is to be one.
  func show<E>(_ inspection: CaseInspection<E>) throws {
    // Both are complete before either is written.
    let (report, drawing) = try texts(of: inspection)
    if let svg, let drawing { try write(drawing, to: svg) }
    try write(report, to: output)
  }

  /// The parts of the case that the flags choose.
  func inspection<E>(
    of inspector: AttentionInspector<E>, _ name: String, _ labels: (queries: TokenLabels, keys: TokenLabels)
  ) throws(CaseError) -> CaseInspection<E> {
    guard sequence < inspector.sequenceCount else {
      throw CaseError("--sequence", "\(sequence) given, but the case has \(inspector.sequenceCount)")
    }
    // Files may have axes of any length beside one of length 0.
    guard inspector.headCount > 0 else { throw CaseError("Q", "no heads, expected at least 1") }
    let all = IndexSelection.all
    let heads = try (head ?? all).indices(below: inspector.headCount, flag: "--head", of: "heads")
    guard heads.memberCount <= Self.largestHeadCount else {
      throw CaseError(
        "--head", "\(heads.memberCount) heads, at most \(Self.largestHeadCount) are reported; choose some")
    }
    if svg != nil, heads.memberCount > Self.largestPanelCount {
      throw CaseError(
        "--svg",
        "\(heads.memberCount) heads, at most \(Self.largestPanelCount) are drawn; choose with --head")
    }
    try MemoryNeed.check([
      MemoryNeed(
        "--head", "what all keys received", [heads.memberCount, 2, inspector.keyCount],
        bytesPerElement: MemoryLayout<Double>.stride)
    ])
    return CaseInspection(
      inspector: inspector, name: name,
      selection: InspectedPart(
        sequence: sequence, heads: heads,
        queries: try query?.indices(below: inspector.queryCount, flag: "--query", of: "queries")
          ?? RangeSet(),
        keys: try (key ?? all).indices(below: inspector.keyCount, flag: "--key", of: "keys")),
      labels: labels)
  }

  private func report<E>(of inspection: CaseInspection<E>) throws -> String {
    guard format == .json else {
      return try inspection.report(top: top, keepsRows: false).text(top: top)
    }
    let (heads, queries) = (inspection.selection.heads.memberCount, inspection.selection.queries.memberCount)
    let keys = inspection.inspector.keyCount
    let count = keys.multipliedReportingOverflow(by: 2 * heads * (1 + queries))
    guard !count.overflow, count.partialValue <= InspectionReport.largestNumberCount else {
      throw CaseError(
        "--format json",
        "\(queries) queries of \(heads) heads and \(keys) keys are more than "
          + "\(InspectionReport.largestNumberCount) numbers; choose fewer with --head or --query")
    }
    return try inspection.report(top: 0, keepsRows: true).json()
  }
}

// MARK: - Output

extension InspectCommand {
  /// Writes text to a file, whole or not at all, or to standard output.
  private func write(_ text: String, to path: String?) throws {
    var text = text
    try text.withUTF8 { bytes in
      if let path {
        try replaceFile(at: path) { (append) throws(TensorFileError) in
          try append(UnsafeRawBufferPointer(bytes))
        }
      } else {
        try writeAll(UnsafeRawBufferPointer(bytes), to: STDOUT_FILENO, path: "standard output")
      }
    }
  }
}
