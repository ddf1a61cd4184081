import Attention

extension FuzzTarget {
  /// A saved cache, then attention over it. The first byte says which pool loads it.
  ///
  /// A checksum that is wrong is put right: whoever makes a file on purpose does that too.
  static let savedCaches = FuzzTarget("saved-caches") { bytes throws(FuzzFault) in
    try attempt {
      guard let first = bytes.first else { throw AttentionError("bytes", "none given") }
      let keys: [KeyValueType] = [.float32, .bfloat16, .float16, .int8, .planes]
      let values: [KeyValueType] = [.float32, .bfloat16, .float16, .int8, .int4]
      let pool = try KeyValuePool(
        layers: 1, heads: 2, depth: 4, width: 3, keys: keys[Int(first) % 5],
        values: values[Int(first) / 5 % 5],
        pageSize: 2 + Int(first) / 25 % 3, pages: 12)
      let sequence: KeyValueSequence
      let file = Array(bytes.dropFirst())
      do throws(AttentionError) {
        sequence = try pool.load(bytes: file)
      } catch {
        guard let fixed = fixingChecksum(of: file, error) else { throw error }
        sequence = try pool.load(bytes: fixed)
      }
      let queries = Tensor<Float>(repeating: 0.5, shape: [1, 4, 1, 4])
      let count = sequence.count
      let fork = try sequence.fork()
      let step = try KeyValueStep([fork], appending: [1])
      try step.write(
        layer: 0, keys: Tensor<Float>(repeating: 1, shape: [1, 2, 4]),
        values: Tensor<Float>(repeating: 1, shape: [1, 2, 3]))
      let output = try ScaledDotProductAttention()(queries, step.keyValues(layer: 0))
      try require(output.shape == [1, 4, 1, 3], "output \(output.shape)")
      try step.commit()
      try require(fork.count == count + 1 && sequence.count == count, "\(fork.count) rows after \(count)")
      _ = try pool.load(bytes: sequence.savedBytes())
    }
  }

  /// The file with the checksum that an error says its content has; nil where the error is about something else.
  private static func fixingChecksum(of file: [UInt8], _ error: AttentionError) -> [UInt8]? {
    let key = Array(#""checksum":""#.utf8), expected = "expected that of the content, "
    guard let place = file.firstRange(of: key), place.upperBound + 16 <= file.count,
      let start = error.reason.firstRange(of: expected)?.upperBound
    else { return nil }
    var fixed = file
    fixed.replaceSubrange(
      place.upperBound..<place.upperBound + 16, with: error.reason[start...].utf8.prefix(16))
    return fixed
  }
}
