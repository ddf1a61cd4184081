import ArgumentParser
import Foundation
import Parallelism
import TensorFiles
import Transformer

/// `attention generate [MODEL] [PROMPT]`: text in, more text out.
struct GenerateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "generate",
    abstract: "Go on with a text, by a language model.",
    discussion: """
      MODEL is a GGUF file, or a folder with config.json, safetensors and tokenizer.json: a Llama, Mistral, SmolLM, Qwen 2 or 3, or Gemma 2 or 3. \
      Without one it is the tiny model that comes with this command. PROMPT is the text to go on with; - or none reads it from standard input, its last line break included. One \
      argument alone is the prompt, unless it is a path that exists.

      The text goes to standard output as it comes, all else to stderr. Options on how tokens are chosen apply in this order: repetition penalty, \
      temperature, top-k, top-p, min-p.

      --format json writes one object a prompt, on one line: prompt_tokens, tokens and text; top_logits, the eight largest after the prompt, each [id, \
      logit]; nll, the mean of -ln p over the prompt's tokens after the first, or null; timings in seconds: load, prompt, first_token, generation, and \
      prompt_tokens_per_second and generated_tokens_per_second; with --tolerance, low_bytes_read, the share of low bytes that were. An end token that ended the text is among tokens, and not in text. For nll the logits \
      of all prompt tokens are computed, which takes longer than text does.

      --batch takes a file with a prompt on each line, or with an object on each line that has it as "prompt". They are computed together, and written in \
      their order; Ctrl-C writes those that are finished. Prompts that begin alike share what is computed of that, but not with --format json, which \
      scores each token of each prompt. A text ends where it fills the cache alone.

      Built with the package trait MPI, mpirun -n N starts N processes that keep a part of the cache each, and generate one text together. Each \
      loads the model. The first one reads the prompt and writes the text.

      EXAMPLES:
        attention generate "This License "
        attention generate model.gguf "The capital of France is" --max-tokens 32
        attention generate model.gguf --chat "Why is the sky blue?" --temperature 0.7 --top-p 0.9
        attention generate model.gguf --format json < prompt.txt
        attention generate model.gguf --weights int8 --cache int8 --window 1024 - < long.txt
        attention generate large.gguf "Once upon a time" --draft small.gguf
        attention generate model.gguf --cache planes --tolerance 0.01 - < long.txt
        attention generate model.gguf --batch prompts.txt --format json
        mpirun -n 2 attention generate model.gguf - < long.txt
      """)

  /// How results are written.
  enum Format: String, CaseIterable, ExpressibleByArgument {
    case text
    case json
  }

  @Argument(help: ArgumentHelp("A GGUF file or a folder.", valueName: "model"), completion: .file())
  var first: String?

  @Argument(help: ArgumentHelp("The text to go on with.", valueName: "prompt"))
  var second: String?

  @Flag(help: "Put the prompt into the model's chat template, as what a user says.")
  var chat = false

  @Option(help: ArgumentHelp("With --chat, what the system says first.", valueName: "text"))
  var system: String?

  @Option(help: ArgumentHelp("Tokens in place of a text, such as 1,2,3.", valueName: "ids"))
  var tokens: TokenList?

  @Flag(help: "Add no tokens around the text, such as the one that begins it.")
  var noSpecial = false

  @OptionGroup(title: "How tokens are chosen")
  var sampling: SamplingArguments

  @OptionGroup(title: "Memory and threads")
  var storage: ModelArguments

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "Each token sees the n last tokens, its own included, and the first four; the cache does not grow beyond that.",
      valueName: "n"))
  var window: Int?

  @Option(
    help: ArgumentHelp("A smaller model of the same vocabulary that guesses ahead.", valueName: "model"))
  var draft: String?

  @Option(help: ArgumentHelp("A file of prompts.", valueName: "file"), completion: .file())
  var batch: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --batch, how many tokens the cache holds, of all prompts together. (default: enough for all, at most 65536 or a context)",
      valueName: "n"))
  var poolTokens: Int?

  @Option(help: "How results are written.")
  var format = Format.text

  func validate() throws {
    if let window, window < 1 { throw ValidationError("--window: \(window), expected at least 1") }
    if let poolTokens, poolTokens < 1 {
      throw ValidationError("--pool-tokens: \(poolTokens), expected at least 1")
    }
    func refuse(_ flag: String, with others: [(String, Bool)]) throws {
      for (other, isGiven) in others where isGiven {
        throw ValidationError("\(flag): does not go with \(other)")
      }
    }
    if system != nil && !chat { throw ValidationError("--system: only a chat has one, expected --chat too") }
    if poolTokens != nil && batch == nil { throw ValidationError("--pool-tokens: expected --batch too") }
    if chat { try refuse("--chat", with: [("--tokens", tokens != nil), ("--no-special", noSpecial)]) }
    if draft != nil {
      try refuse(
        "--draft",
        with: [
          ("--batch", batch != nil), ("--window", window != nil), ("--tolerance", storage.tolerance != nil),
        ])
    }
    if batch != nil {
      try refuse(
        "--batch",
        with: [
          ("--tokens", tokens != nil), ("--window", window != nil), ("--tolerance", storage.tolerance != nil),
        ])
    }
    if second != nil { try refuse("PROMPT", with: [("--tokens", tokens != nil), ("--batch", batch != nil)]) }
  }

  func run() throws {
    try checkArguments()
    let (path, prompt) = try operands()
    if try runOverRanks(model: path, prompt: prompt) { return }
    if let batch {
      try runBatch(model: path, prompts: prompts(of: fileText(batch), path: batch))
    } else {
      try runSingle(model: path, prompt: prompt)
    }
  }

  /// The model's path, and the prompt as far as the command line has it.
  private func operands() throws(ModelError) -> (path: String, prompt: String?) {
    if let first, let second { return (first, second == "-" ? nil : second) }
    guard let first else { return (try bundledModel(), nil) }
    let needsNoPrompt = tokens != nil || batch != nil
    if first != "-",
      needsNoPrompt || first.hasSuffix(".gguf") || FileManager.default.fileExists(atPath: first)
    {
      return (first, nil)
    }
    return (try bundledModel(), first == "-" ? nil : first)
  }

  /// The options of the library.
  var options: GenerationOptions {
    GenerationOptions(
      maximumTokens: sampling.maxTokens, sampling: sampling.options, stops: sampling.stop,
      keys: storage.cache.keys, values: storage.cache.values, tolerance: storage.tolerance, window: window)
  }

  /// Opens a model, and tells how long that took.
  func open(_ path: String, on workers: WorkerPool) throws(ModelError) -> (
    model: LanguageModel, seconds: Double
  ) {
    let start = ContinuousClock.now
    let model = try LanguageModel(
      path: path, weights: storage.weights.type, context: storage.context, on: workers)
    return (model, seconds(since: start))
  }

  /// The tokens of a prompt as the flags want them.
  func promptTokens(_ text: String, _ model: LanguageModel) throws(ModelError) -> [Int] {
    guard chat else { return try model.tokens(of: text, addingSpecialTokens: !noSpecial) }
    var messages = [ChatTemplate.Message(role: .user, content: text)]
    if let system { messages.insert(.init(role: .system, content: system), at: 0) }
    return try model.tokenizer.encode(chat: messages)
  }
}

/// Seconds since an instant.
func seconds(since start: ContinuousClock.Instant) -> Double {
  let (seconds, attoseconds) = (ContinuousClock.now - start).components
  return Double(seconds) + Double(attoseconds) * 1e-18
}

/// Token ids with commas between them.
struct TokenList: ExpressibleByArgument {
  let ids: [Int]

  init?(argument: String) {
    var ids: [Int] = []
    for part in argument.split(separator: ",", omittingEmptySubsequences: false) {
      guard let id = strictInteger(part.drop { $0 == " " }), id >= 0 else { return nil }
      ids.append(id)
    }
    self.ids = ids
  }
}
