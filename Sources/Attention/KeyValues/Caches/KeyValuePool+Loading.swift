import TensorFiles

extension KeyValuePool {
  /// A sequence that was saved, bit for bit, in pages of this pool.
  ///
  /// - Parameter path: a file of ``KeyValueSequence/save(to:)``, from a pool of the same layers, heads, widths and types, and of any page
  ///   size. It must not change meanwhile; another file may be renamed over it.
  /// - Throws: ``AttentionError`` of `path` where the file cannot be read, is cut or altered, of another version, or does not fit the
  ///   pool; of `pages`, of kind `outOfMemory`, where not enough are free. Nothing is changed then.
  ///
  /// The rows of known ids can be reused by others at once, as if they were appended. A ring comes back as one; where positions had left
  /// its window it takes all its pages, and it can be truncated as far as rows of the file are its window.
  ///
  /// Anything may be in the file: all is checked before a page is taken, prefixes that nobody uses among them. Its checksum finds damage;
  /// who makes a file on purpose can bring any numbers, but scales and integers that no step writes.
  ///
  /// Cost: reads the file twice, once for the checksum, and copies the rows once. No memory but the pages and the ids.
  public func load(from path: String) throws(AttentionError) -> KeyValueSequence {
    try place(checked(path))
  }

  /// A file that this pool can take.
  func checked(_ path: String) throws(AttentionError) -> CheckedCache {
    let file = try convertingErrors(of: "path") { () throws(TensorFileError) in
      try SafetensorsFile(path: path)
    }
    return try CheckedCache(file, "path", for: layout)
  }

  /// A sequence that was saved, from a file in memory; the same as ``load(from:)``, but for a copy of the bytes.
  ///
  /// - Parameters:
  ///   - bytes: what ``KeyValueSequence/savedBytes()`` gave, or a whole file.
  ///   - name: what errors call it.
  /// - Throws: ``AttentionError`` of `bytes` or `pages`, as with a path.
  public func load(bytes: [UInt8], name: String = "memory") throws(AttentionError) -> KeyValueSequence {
    let file = try convertingErrors(of: "bytes") { () throws(TensorFileError) in
      try SafetensorsFile(bytes: bytes, name: name)
    }
    return try place(CheckedCache(file, "bytes", for: layout))
  }

  /// Takes pages for a checked file and copies its rows.
  func place(_ cache: CheckedCache) throws(AttentionError) -> KeyValueSequence {
    let (count, ring) = (cache.saved.count, cache.saved.ring)
    // Slots that hold rows, or that a ring has overwritten: of one that has left rows behind, all.
    var (slots, claimed) = (count, count)
    if let ring, count > ring.kept, ring.first(count) > ring.kept {
      slots = ring.capacity
      // Positions before the window are gone, as if later ones had taken their slots.
      claimed = ring.first(count) + ring.turning
    }
    let needed = ledger.pages(of: slots)
    let list = try ledger.withLock { () throws(AttentionError) in
      guard needed <= ledger.available else {
        throw AttentionError(
          .outOfMemory, "pages",
          "\(needed) pages needed and \(ledger.available) of \(pages) free, expected at least as many free")
      }
      let list = PageList(capacity: needed)
      for index in 0..<needed { list.append(ledger.take(written: min(pageSize, slots - index * pageSize))) }
      list.claimed = claimed
      return list
    }
    let rows = SequenceRows(list, pageSize: pageSize, ring: ring, from: count, to: count)
    // Of this pool's memory: a slab may have grown since the file was checked.
    for tensor in SavedCache(layout, count: count, ring: ring).tensors {
      cache.withBytes(of: tensor) { bytes in
        var next = 0
        rows.forEachPiece(of: tensor, in: self) { piece in
          piece.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[next..<next + piece.count]))
          next += piece.count
        }
      }
    }
    let state = ledger.withLock {
      var state = KeyValueSequence.State(list: list, count: count, tokens: cache.tokens, ring: ring)
      if ring == nil { ledger.register(list, state.tokens, rows: count, &state.chain) }
      return state
    }
    return KeyValueSequence(self, state)
  }
}
