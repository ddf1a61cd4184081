/// Parts of keys that several sequences of a call have in common: pages that their tables share, or a prefix that is broadcast.
///
/// Each is streamed once for the queries of all of them, stacked as rows. A row of a stream has the same bits whatever it is computed
/// with, parts and tiles are those of each sequence alone, and their results merge as always: no bit depends on what is shared.
///
/// Parts are whole ones, from the first key on: a prefix that is shorter than a part is read by each sequence.
struct SharedParts: Sendable {
  /// One part of some sequences.
  struct Piece: Sendable {
    let part: Int
    /// Where the sequences stand in ``SharedParts/members``.
    let members: Range<Int>
  }

  private(set) var pieces: [Piece] = []
  /// Places of groups in the schedule, each of one sequence.
  private(set) var members: [Int] = []
  /// How many parts of a group others compute with it.
  private var counts: [Int] = []

  /// Finds what the sequences of some groups share.
  init(_ groups: [BlockGroup], _ problem: AttentionProblem) {
    var candidates: [(address: UInt, group: Int)] = []
    candidates.reserveCapacity(groups.count)
    for (index, group) in groups.enumerated() where Self.isSharable(group) {
      candidates.append((Self.address(group, problem, part: 0), index))
    }
    if candidates.count < 2 { return }
    candidates.sort { $0 < $1 }
    // Groups that begin at one address follow each other. By far the most calls have none.
    var clusters: [[Int]] = []
    var first = 0
    for next in 1...candidates.count
    where next == candidates.count || candidates[next].address != candidates[first].address {
      if next - first > 1 { clusters.append(candidates[first..<next].map(\.group)) }
      first = next
    }
    if clusters.isEmpty { return }
    counts = [Int](repeating: 0, count: groups.count)
    for part in 0... {
      clusters = clusters.flatMap { split($0, part, groups, problem) }
      if clusters.isEmpty { break }
      for cluster in clusters { add(cluster, part, groups) }
    }
  }

  /// Decode of one sequence whose keys are cut into parts, in one block a head.
  private static func isSharable(_ group: BlockGroup) -> Bool {
    guard case .decode(let tiles) = group.tiles else { return false }
    return tiles.parts > 1 && group.blocksPerHead == 1 && group.sequences.count == 1
  }

  /// Where a part's keys begin.
  private static func address(_ group: BlockGroup, _ problem: AttentionProblem, part: Int) -> UInt {
    let row = part * DecodeTiles.mostPartKeys
    return UInt(bitPattern: problem.keys.run(group.sequences.lowerBound, 0, from: row).base)
  }

  /// Cuts a cluster into those that have a part in common, as whole parts of equal tiles; groups that share it with none are left out.
  private func split(
    _ cluster: [Int], _ part: Int, _ groups: [BlockGroup], _ problem: AttentionProblem
  ) -> [[Int]] {
    let rows = part * DecodeTiles.mostPartKeys..<(part + 1) * DecodeTiles.mostPartKeys
    var clusters: [[Int]] = []
    for group in cluster where groups[group].extent.keyCount >= rows.upperBound {
      let place = clusters.firstIndex { other in
        Self.share(rows, groups[other[0]], groups[group], problem)
      }
      if let place { clusters[place].append(group) } else { clusters.append([group]) }
    }
    return clusters.filter { $0.count > 1 }
  }

  private static func share(
    _ rows: Range<Int>, _ a: BlockGroup, _ b: BlockGroup, _ problem: AttentionProblem
  ) -> Bool {
    let (first, second) = (a.sequences.lowerBound, b.sequences.lowerBound)
    return a.tiles.rows == b.tiles.rows && a.tiles.keys == b.tiles.keys
      && problem.keys.hasSameRows(first, second, in: rows)
      && problem.values.hasSameRows(first, second, in: rows)
  }

  private mutating func add(_ cluster: [Int], _ part: Int, _ groups: [BlockGroup]) {
    for group in cluster { counts[group] = part + 1 }
    // As many rows as a block may have: with these, arithmetic takes longer than reading the keys once more.
    let most = max(1, DecodeTiles.mostRows / groups[cluster[0]].tiles.rows)
    for first in stride(from: 0, to: cluster.count, by: most) {
      let start = members.count
      members += cluster[first..<min(first + most, cluster.count)]
      pieces.append(Piece(part: part, members: start..<members.count))
    }
  }

  var isEmpty: Bool { pieces.isEmpty }

  /// Scratch memory of a thread that computes the largest piece.
  func workspaceBytes(_ problem: AttentionProblem, _ groups: [BlockGroup]) -> Int {
    pieces.reduce(0) { largest, piece in
      guard case .decode(let tiles) = groups[members[piece.members.lowerBound]].tiles else { return largest }
      return max(largest, tiles.workspace(problem, members: piece.members.count).byteCount)
    }
  }

  /// How many of a group's parts are computed with others.
  func count(ofGroup index: Int) -> Int { counts.isEmpty ? 0 : counts[index] }

  /// Whether the sequences of another call share what this says.
  func holds(for problem: AttentionProblem, _ groups: [BlockGroup]) -> Bool {
    pieces.allSatisfy { piece in
      let rows = piece.part * DecodeTiles.mostPartKeys..<(piece.part + 1) * DecodeTiles.mostPartKeys
      let first = groups[members[piece.members.lowerBound]]
      return piece.members.dropFirst().allSatisfy { Self.share(rows, first, groups[members[$0]], problem) }
    }
  }
}
