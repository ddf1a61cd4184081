/// What the pass over the high bytes leaves of a block: scores, and by how much each key's weight can be off.
struct BlockRecord {
  /// Products with the high bytes, before any rule: row `r` from `r * keyStride` on.
  let scores: UnsafeMutablePointer<Float>
  /// Of each key of a tile, in units of the tile's largest weight; likewise.
  let terms: UnsafeMutablePointer<Float>
  let keyStride: Int
  private let tileTerms: UnsafeMutablePointer<TileTerms>
  private let tileCount: Int
  /// A row's.
  let errors: UnsafeMutablePointer<ScoreErrors>
  /// The length of each tile's longest key.
  let longestKeys: UnsafeMutablePointer<Float>
  /// How many keys of each tile are read whole; -1 where no row sees any of a tile.
  let readCounts: UnsafeMutablePointer<Int32>
  /// Whether a row wants both planes of all keys, multiplied as Floats.
  let wantsWhole: UnsafeMutableBufferPointer<Bool>

  init(_ memory: UnsafeMutableRawPointer, _ layout: BlockRecordLayout) {
    func piece<T>(_ offset: Int, _: T.Type) -> UnsafeMutablePointer<T> {
      (memory + offset).assumingMemoryBound(to: T.self)
    }
    scores = piece(layout.scores, Float.self)
    terms = piece(layout.terms, Float.self)
    keyStride = layout.keyStride
    tileTerms = piece(layout.tileTerms, TileTerms.self)
    tileCount = layout.tiles
    errors = piece(layout.errors, ScoreErrors.self)
    longestKeys = piece(layout.longestKeys, Float.self)
    readCounts = piece(layout.readCounts, Int32.self)
    wantsWhole = UnsafeMutableBufferPointer(start: piece(layout.wantsWhole, Bool.self), count: layout.rows)
  }

  /// What is known of a row's tiles.
  func tiles(_ row: Int) -> UnsafeMutableBufferPointer<TileTerms> {
    UnsafeMutableBufferPointer(start: tileTerms + row * tileCount, count: tileCount)
  }

  /// Forgets all tiles of so many rows: those that no row sees stay so.
  func reset(rows: Int) {
    tileTerms.initialize(repeating: .none, count: rows * tileCount)
    longestKeys.initialize(repeating: 0, count: tileCount)
    readCounts.initialize(repeating: -1, count: tileCount)
    wantsWhole.initialize(repeating: false)
  }

  /// Whether both planes of all keys are multiplied: the rows of a block read the same.
  var isWhole: Bool { wantsWhole.contains(true) }

  /// The length of the longest key.
  var longestKey: Double {
    var longest: Float = 0
    for tile in 0..<tileCount { longest = max(longest, longestKeys[tile]) }
    return Double(longest)
  }
}

/// Terms of a row's keys in a tile, in units of `exp(maximum)`.
struct TileTerms {
  var maximum: Float
  /// Of the weights.
  var sum: Float
  var total: Float
  /// Keys whose term is above it are read.
  var threshold: Float
  /// The terms of keys that were not read.
  var rest: Float

  static var none: TileTerms {
    TileTerms(maximum: -.infinity, sum: 0, total: 0, threshold: .infinity, rest: 0)
  }
}

/// Where the pieces of a record lie: byte offsets from a 64-byte-aligned start.
struct BlockRecordLayout {
  let scores: Int
  let terms: Int
  let tileTerms: Int
  let errors: Int
  let longestKeys: Int
  let readCounts: Int
  let wantsWhole: Int
  let byteCount: Int
  let keyStride: Int
  let tiles: Int
  let rows: Int

  init(_ shape: DecodeTiles, keyCount: Int) {
    var end = 0
    func place<T>(_ count: Int, _: T.Type) -> Int {
      defer { end += (count * MemoryLayout<T>.stride + 63) / 64 * 64 }
      return end
    }
    rows = shape.rows
    keyStride = (keyCount + 15) / 16 * 16
    tiles = shape.parts * shape.tilesPerPart
    scores = place(shape.rows * keyStride, Float.self)
    terms = place(shape.rows * keyStride, Float.self)
    tileTerms = place(shape.rows * tiles, TileTerms.self)
    errors = place(shape.rows, ScoreErrors.self)
    longestKeys = place(tiles, Float.self)
    readCounts = place(tiles, Int32.self)
    wantsWhole = place(rows, Bool.self)
    byteCount = end
  }
}

extension DecodeTiles {
  var tilesPerPart: Int { (partKeys + keys - 1) / keys }

  /// The number of a tile among all of a block.
  func number(ofTileAt key: Int) -> Int {
    let (part, place) = key.quotientAndRemainder(dividingBy: partKeys)
    return part * tilesPerPart + place / keys
  }
  /// The keys of the tile of a number.
  func keys(ofTile number: Int, of keyCount: Int) -> Range<Int> {
    let (part, place) = number.quotientAndRemainder(dividingBy: tilesPerPart)
    let first = min(part * partKeys + place * keys, keyCount)
    return first..<min(first + keys, (part + 1) * partKeys, keyCount)
  }
}
