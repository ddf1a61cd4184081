import Attention

/// Hears from all ranks that they make the same call with the same arguments.
///
/// - Throws: ``DistributedError/disagreement(rank:argument:given:expected:)`` on all of them where they do not.
package func agree(
  _ call: String, _ arguments: KeyValuePairs<String, String>, over communicator: some Communicator
) throws(DistributedError) {
  var agreement = CallAgreement(call)
  for (argument, value) in arguments { agreement.add(argument, value) }
  try agreement.settle(over: communicator)
}

/// What a call is, in words that every rank has to say alike before any of them sends its data.
///
/// Costs one gathering of 32 bytes from each rank where all agree.
struct CallAgreement {
  private var items: [(argument: String, value: String)] = []
  private var refusal: AttentionError?

  /// - Parameter call: what is computed.
  init(_ call: String) { add("call", call) }

  /// A call of attention with these rules.
  init(_ call: String, _ attention: ScaledDotProductAttention) {
    self.init(call)
    add("scale", attention.scale.map { "\($0)" } ?? "1/√D")
    add("mask", attention.mask)
    add("softcap", attention.options.softcap.map { "\($0)" } ?? "none")
    add("sinks", attention.options.sinks.map { "\($0)" } ?? "none")
    add("softmaxPrecision", attention.options.softmaxPrecision)
  }

  /// An argument that ranks have in common.
  mutating func add(_ argument: String, _ value: some Any) { items.append((argument, "\(value)")) }

  /// Runs checks of this rank's own arguments, unless earlier ones have refused some. What they refuse is thrown by ``settle(over:note:)``, so
  /// that other ranks hear of it too.
  mutating func check(_ body: () throws(AttentionError) -> Void) {
    if refusal != nil { return }
    do throws(AttentionError) { try body() } catch { refusal = error }
  }

  /// Hears from all ranks that they make the same call, of arguments that fit.
  ///
  /// - Parameter note: a number of this rank's own that the others want to know.
  /// - Returns: the notes of all ranks.
  /// - Throws: ``DistributedError/refused(_:)`` on a rank that refused its arguments, ``DistributedError/disagreement(rank:argument:given:expected:)``
  ///   on all others, and on all ranks where calls differ.
  @discardableResult
  func settle(over communicator: some Communicator, note: Int = 0) throws(DistributedError) -> [Int] {
    var words = items
    if let refusal { words.append((refusal.argument, Self.refused + refusal.reason)) }
    let text = words.map { "\($0.argument)\u{1F}\($0.value)" }.joined(separator: "\u{1E}")
    let bytes = Array(text.utf8)
    let mine = [
      bytes.count, Self.hash(bytes, 0xCBF2_9CE4_8422_2325), Self.hash(bytes, 0x9E37_79B9_7F4A_7C15), note,
    ]
    let all = try communicator.allGather(mine)
    let said = (0..<communicator.size).map { Array(all[4 * $0..<4 * $0 + 4]) }
    let isSettled = said.allSatisfy { $0[0..<3] == mine[0..<3] }
    if let refusal {
      // The others ask for the words.
      if !isSettled { _ = try Self.words(bytes, said.map { $0[0] }, over: communicator) }
      throw .refused(refusal)
    }
    if isSettled { return said.map { $0[3] } }
    let texts = try Self.words(bytes, said.map { $0[0] }, over: communicator)
    for (rank, words) in texts.enumerated() {
      guard let last = words.last, let reason = last.last, reason.hasPrefix(Self.refused) else { continue }
      throw .disagreement(
        rank: rank, argument: last[0], given: String(reason.dropFirst()), expected: "arguments that fit")
    }
    for rank in 1..<communicator.size where texts[rank] != texts[0] {
      try Self.compare(texts[rank], of: rank, with: texts[0])
    }
    throw .disagreement(rank: 0, argument: "call", given: "another number of words", expected: "one call")
  }

  private static func compare(
    _ given: [[String]], of rank: Int, with expected: [[String]]
  ) throws(DistributedError) {
    // Different calls have other arguments, and differ in their first word already.
    for (one, other) in zip(given, expected) where one != other {
      throw .disagreement(
        rank: rank, argument: one[0], given: one.last ?? "", expected: "\(other.last ?? "") as on rank 0")
    }
  }

  /// The words of all ranks.
  private static func words(
    _ bytes: [UInt8], _ counts: [Int], over communicator: some Communicator
  ) throws(DistributedError) -> [[[String]]] {
    let length = counts.max() ?? 0
    let padded = bytes + Array(repeating: 0, count: length - bytes.count)
    let gathered = try communicator.allGather(padded)
    return counts.enumerated().map { rank, count in
      let text = String(decoding: gathered[rank * length..<rank * length + count], as: UTF8.self)
      return text.split(separator: "\u{1E}").map { item in
        item.split(separator: "\u{1F}", omittingEmptySubsequences: false).map(String.init)
      }
    }
  }

  /// Marks the reason of a rank that refused its own arguments.
  private static let refused = "\u{1D}"

  /// FNV-1a.
  private static func hash(_ bytes: [UInt8], _ seed: UInt64) -> Int {
    Int(bitPattern: UInt(bytes.reduce(seed) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }))
  }
}
