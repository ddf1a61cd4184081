import Attention

/// Attention of plain arrays, where they lie: the tensors over them copy nothing and last for the length of the call.
///
/// - Parameters:
///   - queries: `[Tq, D]`, row-major.
///   - keys: `[Tk, D]`.
///   - values: `[Tk, D]`.
///   - width: `D`.
///   - output: room for `[Tq, D]`.
func attend(
  queries: [Float], keys: [Float], values: [Float], width: Int, output: inout MutableSpan<Float>
) throws(AttentionError) {
  let queryShape: Shape = [1, 1, queries.count / width, width]
  let keyShape: Shape = [1, 1, keys.count / width, width]
  try withTensors(
    over: queries.span, keys.span, values.span, shapes: queryShape, keyShape, keyShape,
    writing: &output, shape: queryShape
  ) { output, queries, keys, values throws(AttentionError) in
    try ScaledDotProductAttention(mask: .causal)
      .write(queries, KeyValues(keys: keys, values: values), to: output)
  }
}

/// Prints the attention of the last two of four tokens.
@main
struct Arrays {
  static func main() throws {
    let tokens: [Float] = [
      2, 10, 1, 0,
      4, 0, 0, 1,
      8, 5, 1, 1,
      1, 1, 2, 2,
    ]
    var output = [Float](repeating: 0, count: 8)
    var span = output.mutableSpan
    try attend(queries: Array(tokens[8...]), keys: tokens, values: tokens, width: 4, output: &span)
    print(output)
  }
}
