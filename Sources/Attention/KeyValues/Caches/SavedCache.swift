import TensorFiles

/// What a file of a saved sequence is made of, for a pool of given sizes: the text of its header, and its tensors.
///
/// It says nothing of pages: rows lie in the order of their positions.
struct SavedCache {
  static let format = "swift-attention key/value cache"
  static let version = "1"

  let layout: CacheLayout
  /// Positions of the sequence, and how many of them have rows.
  let count: Int
  let rowCount: Int
  let ring: RingWindow?

  init(_ layout: CacheLayout, count: Int, ring: RingWindow?) {
    (self.layout, self.count, self.ring) = (layout, count, ring)
    rowCount = ring.map { min($0.kept, count) + count - min($0.first(count), count) } ?? count
  }

  /// One tensor of rows, `[layers, heads, rows, columns]`, or `[layers, heads, rows]` where it holds scales.
  struct Rows {
    let name: String
    let elementType: ElementType
    let shape: Shape
    let part: CachePart
    let content: Content

    /// Bytes from one row to the next.
    var rowBytes: Int {
      switch content {
      case .rows, .lowBytes: part.rowBytes
      case .scales: MemoryLayout<Float>.stride
      case .lengths: MemoryLayout<UInt32>.stride
      }
    }
  }

  /// What a tensor holds of rows.
  enum Content {
    /// The numbers, or their high bytes.
    case rows
    case lowBytes
    case scales
    /// Two numbers a row: its length, and that of its low bytes.
    case lengths
  }

  /// In the order in which the checksum has them.
  var tensors: [Rows] {
    let axes = [layout.layers, layout.heads, rowCount]
    let parts = [("keys", layout.keys), ("values", layout.values)]
    let rows = parts.map { name, part in
      let columns = part.type == .int4 ? part.rowBytes : part.columns
      return Rows(
        name: name, elementType: part.type.savedType, shape: Shape(axes + [columns]), part: part,
        content: .rows)
    }
    let scales = parts.filter(\.1.type.hasScales).map { name, part in
      Rows(name: "\(name).scales", elementType: .float32, shape: Shape(axes), part: part, content: .scales)
    }
    let planes = parts.filter { $0.1.type == .planes }.flatMap { name, part in
      [
        Rows(
          name: "\(name).low", elementType: .int8, shape: Shape(axes + [part.columns]), part: part,
          content: .lowBytes),
        Rows(
          name: "\(name).lengths", elementType: .bfloat16, shape: Shape(axes + [2]), part: part,
          content: .lengths),
      ]
    }
    return rows + scales + planes
  }

  static let tokens = "tokens"
  static let checksum = "checksum"

  /// What the header says, but for the checksum.
  var metadata: [String: String] {
    var text = Self.sizes(of: layout)
    text["count"] = "\(count)"
    if let ring {
      text["window"] = "\(ring.window)"
      text["keepingFirst"] = "\(ring.kept)"
      text["longestAppend"] = "\(ring.longestAppend)"
    }
    return text
  }

  /// What the header says of a pool.
  static func sizes(of layout: CacheLayout) -> [String: String] {
    [
      "format": format, "version": version, "layers": "\(layout.layers)", "heads": "\(layout.heads)",
      "depth": "\(layout.keys.columns)", "width": "\(layout.values.columns)",
      "keys": layout.keys.type.rawValue, "values": layout.values.type.rawValue,
    ]
  }

  /// A checksum of the header's text, to which the tensors' bytes are to be added.
  func makeChecksum() -> CacheChecksum {
    var sum = CacheChecksum()
    let lines = metadata.sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)\n" }
    Array(lines.joined().utf8).withUnsafeBytes { sum.add($0) }
    return sum
  }
}

extension KeyValueType {
  /// The kind of numbers that a file has rows of this type as; of int4 rows it has the bytes.
  fileprivate var savedType: ElementType {
    switch self {
    case .float32: .float32
    case .bfloat16: .bfloat16
    case .float16: .float16
    case .int8, .planes: .int8
    case .int4: .uint8
    }
  }
}

extension SequenceRows {
  /// Goes through the memory of a tensor's rows in the order in which a file has them.
  func forEachPiece<Failure: Error>(
    of tensor: SavedCache.Rows, in pool: KeyValuePool,
    _ body: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    for layer in 0..<pool.layers {
      let rows = tensor.part.rows(layer: layer, in: pool.memory)
      for head in 0..<pool.heads {
        var row = 0
        while row < rowCount {
          let run = run(row: row)
          let (page, place) = (run.page, run.rowInPage)
          let base =
            switch tensor.content {
            case .rows: rows.row(page: page, head: head, row: place)
            case .lowBytes: rows.row(page: page, head: head, row: place) + rows.lowDistance
            case .scales: UnsafeMutableRawPointer(rows.scale(page: page, head: head, row: place))
            case .lengths: UnsafeMutableRawPointer(rows.lengths(page: page, head: head, row: place))
            }
          try body(UnsafeMutableRawBufferPointer(start: base, count: run.count * tensor.rowBytes))
          row += run.count
        }
      }
    }
  }
}
