/// Parts that follow each other along the positions: a shared prefix and what came after it, say.
struct JoinedRows: RowSource {
  let parts: [KeyValueRows]
  let ends: Ends

  /// The position after the last row of each part.
  enum Ends {
    /// Of each part, the same for all sequences.
    case same([Int])
    /// Of each part of each sequence, a sequence's parts side by side.
    case each([Int])

    init(_ parts: [KeyValues], batch: Int) {
      func ends(_ sequence: Int) -> [Int] {
        var end = 0
        return parts.map { part in
          end += part.length(sequence)
          return end
        }
      }
      if parts.allSatisfy(\.fillsTensors) {
        self = .same(batch == 0 ? parts.map { _ in 0 } : ends(0))
      } else {
        self = .each((0..<batch).flatMap(ends))
      }
    }

    /// Where a part of a sequence ends.
    func of(_ sequence: Int, _ part: Int, count: Int) -> Int {
      switch self {
      case .same(let ends): ends[part]
      case .each(let ends): ends[sequence * count + part]
      }
    }
  }

  var type: RowStorage { parts[0].type }
  var isOneRun: Bool { parts.count == 1 && parts[0].isOneRun }
  var readsHeadsTogether: Bool { parts.allSatisfy(\.readsHeadsTogether) }

  func run(_ sequence: Int, _ head: Int, from position: Int) -> RowRun {
    var start = 0
    var part = 0
    var end = ends.of(sequence, 0, count: parts.count)
    // There are few parts, and the last one takes what is left.
    while part < parts.count - 1, position >= end {
      start = end
      part += 1
      end = ends.of(sequence, part, count: parts.count)
    }
    return parts[part].run(sequence, head, from: position - start).limited(to: end - position)
  }

  func hasSameRows(_ sequence: Int, _ other: Int, in rows: Range<Int>) -> Bool {
    var start = 0
    for (index, part) in parts.enumerated() {
      let end = ends.of(sequence, index, count: parts.count)
      if start >= rows.upperBound { break }
      if ends.of(other, index, count: parts.count) != end && end < rows.upperBound { return false }
      let own = rows.clamped(to: start..<max(start, end))
      if !own.isEmpty
        && !part.hasSameRows(sequence, other, in: own.lowerBound - start..<own.upperBound - start)
      {
        return false
      }
      start = end
    }
    return true
  }

  func canBeBLASOperand(_ type: StorageType, columns: Int) -> Bool {
    parts.allSatisfy { $0.canBeBLASOperand(type, columns: columns) }
  }
}
