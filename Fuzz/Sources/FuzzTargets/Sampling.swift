import Transformer

extension FuzzTarget {
  /// Options and logits of a sampler: what it draws is a token that may come.
  static let sampling = FuzzTarget("sampling") { bytes throws(FuzzFault) in
    try attempt {
      var input = InputBytes(bytes)
      let options = SamplingOptions(
        temperature: input.chance(2) ? input.anyDouble() : Double(input.int(0...40)) / 8,
        topK: input.chance(3) ? input.anyInt() : nil, topP: input.chance(3) ? input.anyDouble() : nil,
        minP: input.chance(3) ? input.anyDouble() : nil,
        repetitionPenalty: input.chance(3) ? input.anyDouble() : 1,
        repetitionWindow: input.chance(2) ? input.anyInt() : 64, seed: input.word())
      var sampler = try Sampler(options)
      var tokens = (0..<input.int(0...4)).map { _ in input.anyInt() }
      let logits = (0..<input.int(0...40)).map { _ in
        input.chance(1) ? Float(input.anyDouble()) : Float(Int8(bitPattern: input.byte())) / 4
      }
      for _ in 0..<3 {
        let token = try sampler.sample(logits, after: tokens)
        try require(logits.indices.contains(token), "token \(token) of \(logits.count)")
        try require(logits[token] > -.infinity, "token \(token), whose logit is -inf")
        tokens.append(token)
      }
    }
  }
}
