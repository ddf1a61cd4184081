import Attention

extension DistributedCall {
  /// Throws what does not fit: what a call with such tensors would throw, and numbers that no tensor has.
  func check(ranks: Int) throws(AttentionError) {
    guard (1...Self.mostRanks).contains(ranks) else {
      throw AttentionError("ranks", "\(ranks) given, expected 1 to \(Self.mostRanks)")
    }
    for (name, number) in [
      ("heads", heads), ("keyHeads", keyHeads), ("depth", depth), ("width", width),
      ("keysPerMessage", keysPerMessage), ("rowsPerPass", rowsPerPass),
    ] where number < 1 {
      throw AttentionError(name, "\(number) given, expected 1 or more")
    }
    guard keyLengths.count == lengths.count else {
      throw AttentionError(
        "keyLengths", "\(keyLengths.count) given, expected one for each of \(lengths.count) sequences")
    }
    let (rows, keyRows) = (try Self.total(lengths, "lengths"), try Self.total(keyLengths, "keyLengths"))
    try checkCounts(rows, keyRows, ranks)
    try attention.checkCanBeSplit()
    // As one rank would compute it: tensors whose rows, heads and columns all lie in one number.
    let (queryShape, keyShape, valueShape): (Shape, Shape, Shape) = (
      [rows, heads, depth], [keyRows, keyHeads, depth], [keyRows, keyHeads, width]
    )
    func check<Element: AttentionElement>(_: Element.Type) throws(AttentionError) {
      try attention.checkCall(
        .packed(Tensor<Element>.zeros([1, 1, 1]).broadcast(to: queryShape), lengths: lengths),
        KeyValues(
          packedKeys: keys.standIn(keyShape), values: values.standIn(valueShape), lengths: keyLengths))
    }
    switch elements {
    case .float64: try check(Double.self)
    case .float32: try check(Float.self)
    case .float16: try check(Float16.self)
    case .bfloat16: try check(BFloat16.self)
    case .int64, .int32, .int8, .uint8, .bool:
      throw AttentionError("elements", "\(elements) given, expected float64, float32, float16 or bfloat16")
    }
  }

  /// Beyond that, looking at each pair of ranks takes longer than a call.
  private static let mostRanks = 4096

  private static func total(_ lengths: [Int], _ argument: String) throws(AttentionError) -> Int {
    var total = 0
    for length in lengths {
      let (sum, isTooMuch) = total.addingReportingOverflow(length)
      guard length >= 0, !isTooMuch else {
        throw AttentionError(argument, "\(length) given, expected 0 or more, and a sum that an Int holds")
      }
      total = sum
    }
    return total
  }

  /// Throws where some count of a plan might not fit an Int. No way sends more of a rank's numbers than all of them to every rank, keys once a pass, each in 8
  /// bytes beside its scale; a message that is not empty has a byte, and there are at most two empty ones a sequence and pair of ranks.
  private func checkCounts(_ rows: Int, _ keyRows: Int, _ ranks: Int) throws(AttentionError) {
    func product(_ factors: Int...) -> Int? {
      factors.reduce(Optional(1)) { product, factor in
        guard let (product, isTooMuch) = product?.multipliedReportingOverflow(by: factor) else { return nil }
        return isTooMuch ? nil : product
      }
    }
    func sum(_ terms: Int?...) -> Int? {
      terms.reduce(Optional(0)) { sum, term in
        guard let sum, let term else { return nil }
        let (total, isTooMuch) = sum.addingReportingOverflow(term)
        return isTooMuch ? nil : total
      }
    }
    let widths = sum(depth, width, 2)
    // A rank has two parts of a sequence at most, each rounded up.
    let rowsOfARank = min(rows, rows / ranks + 2 * lengths.count)
    let passes = max(0, rowsOfARank - 1) / rowsPerPass + 1
    let numbers = widths.flatMap { widths in
      sum(product(rows, heads, widths), product(keyRows, keyHeads, widths, passes), lengths.count)
    }
    guard numbers.flatMap({ product($0, 8, ranks, ranks) }) != nil else {
      throw AttentionError(
        "lengths",
        "\(rows) queries of \(heads) heads and \(keyRows) keys of \(keyHeads) heads over \(ranks) ranks in up to \(passes) passes given, whose bytes an Int does not count"
      )
    }
  }
}

extension DistributedCall.Storage {
  /// Rows of zeros that take the memory of one number. Rows that only caches have look like Int8 here.
  fileprivate func standIn(_ shape: Shape) throws(AttentionError) -> StoredTensor {
    func numbers<Element: AttentionElement>(_: Element.Type) throws(AttentionError) -> StoredTensor {
      try Tensor<Element>.zeros([1, 1, 1]).broadcast(to: shape).stored
    }
    switch self {
    case .float64: return try numbers(Double.self)
    case .float32: return try numbers(Float.self)
    case .float16: return try numbers(Float16.self)
    case .bfloat16: return try numbers(BFloat16.self)
    case .int8, .int4, .planes:
      return QuantizedTensor(
        integers: try Tensor<Int8>.zeros([1, 1, 1]).broadcast(to: shape),
        scales: try Tensor<Float>.zeros([1, 1]).broadcast(to: Shape(shape.dropLast()))
      ).stored
    }
  }
}
