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
    abstract: "Compute the attention, or the rotary embedding, that a case file describes.",
    discussion: """
      CASE holds tensors, and the attributes of an operator in its metadata, both by their names in ONNX: \
      Attention (opsets 23 to 25) or RotaryEmbedding, as the attribute op says. A flag overrides the file's \
      attribute. Tensors named expected.* are not read. Metadata that is no attribute has no effect, which a \
      warning says.

      ATTENTION:
        Q, K, V             [B, H, T, D]; or [B, T, H·D] and the numbers of heads
        attn_mask           bool (true = visible), or numbers added to scores;
                            broadcasts to [B, Hq, Tq, Tk]
        past_key            [B, Hkv, P, D], keys before those of K
        past_value          [B, Hkv, P, Dv], likewise
        nonpad_kv_seqlen    [B], how many keys of each sequence count
        alibi_slopes        [Hq]
        sinks               [Hq]
        cu_seqlens_q        [B + 1], where sequences start and end if packed,
                            Q, K and V being [total, H, D]
        cu_seqlens_k        the same for K and V; cu_seqlens_q when missing
        block_table         [B, blocks], the pages of each sequence in K and V,
                            those being [numBlocks, blockSize, Hkv, D]

      Query 0 stands on key 0; after the past; or so that the last query stands on the last key that \
      nonpad_kv_seqlen counts; unless causal_alignment says otherwise. OUT receives

        Y                   in the layout and type of Q
        lse                 [B, Hq, Tq], [Hq, total] if packed: the log-sum-exp of
                            each row of scores, float32 (float64 for float64)
        present_key         past_key and K, where there is a past
        present_value       past_value and V, likewise
        qk_matmul_output    [B, Hq, Tq, Tk], with --qk-matmul-output-mode

      ROTARYEMBEDDING:
        input               [B, H, T, D]; or [B, T, H·D] and num_heads
        cos_cache           [positions, R/2]; [B, T, R/2] without position_ids
        sin_cache           the same
        position_ids        [B, T]

      OUT receives output, in the layout and type of input.

      EXAMPLES:
        attention run case.safetensors -o out.safetensors
        attention run case.safetensors -o out.safetensors --left-window-size 1023
        attention run case.safetensors -o out.safetensors --softcap 50 --is-causal
        attention run case.safetensors -o out.safetensors --qk-matmul-output-mode 3
        attention run case.safetensors -o out.safetensors --threads 4 --explain
        attention run rotary.safetensors -o out.safetensors --interleaved
      """)

  @Argument(
    help: ArgumentHelp("The case, a safetensors file.", valueName: "case"),
    completion: .file(extensions: ["safetensors"]))
  var input: String

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the results go, a safetensors file; not the case itself.", valueName: "out"))
  var output: String

  @OptionGroup(title: "Attributes of the case")
  var attributes: AttributeFlags

  @Option(parsing: .unconditional, help: "Threads to compute with. (default: what the process may use)")
  var threads: Int?

  @Flag(help: "Say on stderr how the case is computed.")
  var explain = false

  func validate() throws {
    if let threads, !(1...WorkerPool.maximumThreadCount).contains(threads) {
      throw ValidationError("--threads: \(threads), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
  }

  func run() throws {
    let file = try SafetensorsFile(path: input)
    if isSameFile(input, output) {
      throw CaseError("--output", "\(output) is the case itself, expected another file")
    }
    let metadata = file.metadata.merging(attributes.overrides) { _, flag in flag }
    let ignoredNames: [String]
    do {
      let read = try readCase(file, metadata)
      ignoredNames = read.ignoredNames
      let pool = threads.map { WorkerPool(threads: $0) } ?? .shared
      if explain { printError(try read.case.explanation(on: pool)) }
      try read.case.results(on: pool).write(to: output)
    } catch let error as AttentionError {
      throw CaseError(error)
    }
    // After all that can fail: an error stays a single line.
    for name in ignoredNames {
      printError("attention: warning: metadata \(quoted(name)) has no effect")
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
