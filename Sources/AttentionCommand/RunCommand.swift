import ArgumentParser
import Attention
import Parallelism
import TensorFiles

#if canImport(Glibc)
  import Glibc
#elseif canImport(Musl)
  import Musl
#endif

/// `attention run CASE -o OUT`: one case file in, one file of results out.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Compute the attention that a case file describes.",
    discussion: """
      CASE holds the tensors Q, K and V: [B, H, T, D], or [B, T, H·D] with the attributes q_num_heads and \
      kv_num_heads. It may hold attn_mask (bool, true = visible, or floating-point, added to the scores; \
      broadcastable to [B, Hq, Tq, Tk]) and nonpad_kv_seqlen [B]. Tensors named expected.* are not read. \
      The attributes is_causal, scale, left_window_size, right_window_size and causal_alignment stand in \
      its metadata, with the meaning they have in ONNX Attention: query 0 stands on key 0 unless nonpad_kv_seqlen or \
      causal_alignment says otherwise. A flag overrides the file's attribute. \
      Metadata that is no attribute has no effect, which a warning says.

      OUT receives Y, in the layout and type of Q, and lse [B, Hq, Tq], the log-sum-exp of each row of scores \
      (float32; float64 for float64).

      EXAMPLES:
        attention run case.safetensors -o out.safetensors
        attention run case.safetensors -o out.safetensors --left-window-size 1023
        attention run case.safetensors -o out.safetensors --threads 4 --explain
      """)

  @Argument(
    help: ArgumentHelp("The case, a safetensors file.", valueName: "case"),
    completion: .file(extensions: ["safetensors"]))
  var input: String

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the results go, a safetensors file; not the case itself.", valueName: "out"))
  var output: String

  @Flag(inversion: .prefixedNo, help: "Whether a query sees the keys up to its own position only.")
  var isCausal: Bool?

  // Values may be negative, so the next word is a value whatever it begins with.
  @Option(parsing: .unconditional, help: "What scores are multiplied by. (default: 1/sqrt(D))")
  var scale: Double?

  @Option(parsing: .unconditional, help: "Keys before its own position that a query sees; -1 for all.")
  var leftWindowSize: Int?

  @Option(parsing: .unconditional, help: "Keys after its own position that a query sees; -1 for all.")
  var rightWindowSize: Int?

  @Option(help: "Where queries stand among the keys. (default: top_left; bottom_right with nonpad_kv_seqlen)")
  var causalAlignment: CausalAlignment?

  @Option(parsing: .unconditional, help: "Heads of a three-axis Q.")
  var qNumHeads: Int?

  @Option(parsing: .unconditional, help: "Heads of a three-axis K and V.")
  var kvNumHeads: Int?

  @Option(parsing: .unconditional, help: "Threads to compute with. (default: what the process may use)")
  var threads: Int?

  @Flag(help: "Say on stderr how the case is computed.")
  var explain = false

  /// What the flags say, by the names of attributes.
  private var overrides: [String: String] {
    let values: [String: String?] = [
      "is_causal": isCausal.map { $0 ? "1" : "0" },
      "scale": scale.map { "\($0)" },
      "left_window_size": leftWindowSize.map(String.init),
      "right_window_size": rightWindowSize.map(String.init),
      "causal_alignment": causalAlignment?.rawValue,
      "q_num_heads": qNumHeads.map(String.init),
      "kv_num_heads": kvNumHeads.map(String.init),
    ]
    return values.compactMapValues { $0 }
  }

  func validate() throws {
    do throws(CaseError) {
      _ = try CaseAttributes(overrides)
    } catch {
      let flag = "--" + error.name.replacing("_", with: "-")
      throw ValidationError("\(flag): \(error.reason)")
    }
    if let threads, !(1...WorkerPool.maximumThreadCount).contains(threads) {
      throw ValidationError("--threads: \(threads), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
  }

  func run() throws {
    let file = try SafetensorsFile(path: input)
    if isSameFile(input, output) {
      throw CaseError("--output", "\(output) is the case itself, expected another file")
    }
    let attributes = try CaseAttributes(file.metadata.merging(overrides) { _, flag in flag })
    switch try checkCaseTensors(of: file) {
    case .float64: try run(file, attributes, as: Double.self)
    case .float32: try run(file, attributes, as: Float.self)
    case .float16: try run(file, attributes, as: Float16.self)
    case .bfloat16: try run(file, attributes, as: BFloat16.self)
    case let type: throw CaseError("Q", "holds \(type), expected a floating-point type")
    }
    // After all that can fail: an error stays a single line.
    for name in attributes.ignoredNames {
      printError("attention: warning: metadata \(quoted(name)) has no effect")
    }
  }

  private func run<E: AttentionElement>(
    _ file: SafetensorsFile, _ attributes: CaseAttributes, as _: E.Type
  ) throws {
    do {
      let attentionCase = try AttentionCase<E>(file, attributes)
      let pool = threads.map { WorkerPool(threads: $0) } ?? .shared
      if explain { printError(try attentionCase.explanation(on: pool)) }
      try attentionCase.results(on: pool).write(to: output)
    } catch let error as AttentionError {
      throw CaseError(error)
    }
  }

  /// Whether two paths lead to one file that exists.
  private func isSameFile(_ first: String, _ second: String) -> Bool {
    var (a, b) = (stat(), stat())
    return stat(first, &a) == 0 && stat(second, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino
  }

  /// Writes a line, or several, to stderr.
  private func printError(_ line: String) {
    let bytes = Array("\(line)\n".utf8)
    // A message that nobody can receive is no reason to fail.
    _ = write(STDERR_FILENO, bytes, bytes.count)
  }
}

extension CausalAlignment: ExpressibleByArgument {}
