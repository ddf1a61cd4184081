import ArgumentParser

/// `attention run CASE -o OUT`: one case file in, one file of results out.
struct RunCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "run",
    abstract: "Compute the attention, or the rotary embedding, that a case file describes.",
    discussion: """
      CASE holds tensors, and the attributes of an operator in its metadata, both by their names in ONNX: \
      Attention (opsets 23 to 25) or RotaryEmbedding, as the attribute op says. A flag overrides the file's \
      attribute. Tensors named expected.* are not read. An attribute of another operator that would change the \
      result is an error; other metadata has no effect, which a warning says.

      ATTENTION:
        Q, K, V             [B, H, T, D]; or [B, T, H·D] and the numbers of heads;
                            of one floating-point type, but K and V may be int8
        k_scale             [B, H, T], what each row of int8 K is multiplied by;
                            [B, T, H] beside [B, T, H·D], and in the layouts below
                            too the shape of K without its last axis
        v_scale             the same for V
        attn_mask           bool (true = visible), or numbers added to scores;
                            1 to 4 axes that broadcast to [B, Hq, Tq, Tk];
                            keys past the end of the last one are hidden
        past_key            [B, Hkv, P, D], keys before those of K (no int8)
        past_value          [B, Hkv, P, Dv], likewise
        nonpad_kv_seqlen    [B], how many keys of each sequence count
        alibi_slopes        [Hq]
        sinks               [Hq]
        cu_seqlens_q        [B + 1], where sequences start and end if packed,
                            Q, K and V being [total, H, D]
        cu_seqlens_k        the same for K and V; cu_seqlens_q when missing
        block_table         [B, blocks], the pages of each sequence in K and V,
                            those being [numBlocks, blockSize, Hkv, D]; entries
                            past a sequence's length may be anything

      Where queries stand among the keys, for causal rules, windows and ALiBi: with nonpad_kv_seqlen the last query \
      on the last key that it counts; with a past, query 0 on the first key after it; else query 0 on key 0. \
      causal_alignment overrides all three. OUT receives

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

  @OptionGroup var source: CaseArguments

  @Option(
    name: [.short, .long],
    help: ArgumentHelp("Where the results go, a safetensors file; not the case itself.", valueName: "out"))
  var output: String

  @Flag(help: "Say on stderr how the case is computed.")
  var explain = false

  func validate() throws {
    if source.input == nil { throw ValidationError("Missing expected argument '<case>'") }
  }

  func run() throws {
    let (file, metadata) = try source.open(outputs: [("--output", output)])
    try source.warning {
      let pool = source.pool
      let read = try readCase(file, metadata, on: pool)
      if explain { printError(try read.case.explanation(on: pool)) }
      try read.case.results(on: pool).write(to: output)
      return warnings(ofIgnored: read.ignoredNames)
    }
  }
}
