// The tree of prefixes: a node is a full page whose tokens are known, under the node of the page before it.

/// A page's place in the tree. The node's number is the page's.
struct PrefixNode {
  var isRegistered = false
  var parent: Int32 = -1
  var firstChild: Int32 = -1
  var nextSibling: Int32 = -1
  var previousSibling: Int32 = -1
  var hash: UInt64 = 0
  /// Which registration this is: a page may lose its place and get another.
  var serial: UInt32 = 0
}

/// Where a node is found: the parent stands for all pages before.
struct PrefixKey: Hashable {
  let parent: Int32
  let hash: UInt64
}

/// How far the pages of a sequence are in the tree.
struct PrefixChain {
  var pages = 0
  var node: Int32 = -1
  var serial: UInt32 = 0
}

extension PageLedger {
  /// The node of some tokens under a parent, compared token by token.
  private func child(
    of parent: Int32, _ hash: UInt64, _ page: UnsafeBufferPointer<Int>
  ) -> (node: Int32?, isTaken: Bool) {
    guard let node = nodes[PrefixKey(parent: parent, hash: hash)] else { return (nil, false) }
    let held = UnsafeBufferPointer(start: tokens + Int(node) * pageSize, count: pageSize)
    return held.elementsEqual(page) ? (node, true) : (nil, true)
  }

  /// The nodes of the longest prefix of whole pages that is held, from the first page on.
  func match(_ tokens: UnsafeBufferPointer<Int>, _ body: (Int32) -> Void) -> PrefixChain {
    var chain = PrefixChain()
    while sharesPrefixes, (chain.pages + 1) * pageSize <= tokens.count {
      let page = UnsafeBufferPointer(rebasing: tokens[chain.pages * pageSize..<(chain.pages + 1) * pageSize])
      guard let node = child(of: chain.node, prefixHash(page), page).node else { break }
      body(node)
      chain.pages += 1
      chain.node = node
      chain.serial = records[Int(node)].prefix.serial
    }
    return chain
  }

  /// Puts the full pages of a list whose tokens are known into the tree, from where the sequence left off.
  func register(_ list: PageList, _ tokens: [Int], rows: Int, _ chain: inout PrefixChain) {
    let full = min(tokens.count, rows) / pageSize
    if !sharesPrefixes || full <= chain.pages { return }
    if chain.pages > 0, !isCurrent(chain) { chain = PrefixChain() }
    tokens.withUnsafeBufferPointer { tokens in
      while chain.pages < full {
        let page = UnsafeBufferPointer(
          rebasing: tokens[chain.pages * pageSize..<(chain.pages + 1) * pageSize])
        let hash = prefixHash(page)
        let found = child(of: chain.node, hash, page)
        let own = list.entries[chain.pages]
        // Other tokens of the same hash keep the place; so do this page's own, where it is in the tree already.
        if found.node == nil, found.isTaken || records[Int(own)].prefix.isRegistered { return }
        let node = found.node ?? insert(own, under: chain.node, hash, page)
        chain.pages += 1
        chain.node = node
        chain.serial = records[Int(node)].prefix.serial
      }
    }
  }

  /// The chain of fewer rows.
  func shorten(_ chain: inout PrefixChain, rows: Int) {
    if chain.pages * pageSize <= rows { return }
    guard isCurrent(chain) else { return chain = PrefixChain() }
    while chain.pages * pageSize > rows {
      chain.node = records[Int(chain.node)].prefix.parent
      chain.pages -= 1
    }
    chain.serial = chain.pages == 0 ? 0 : records[Int(chain.node)].prefix.serial
  }

  private func isCurrent(_ chain: PrefixChain) -> Bool {
    let node = records[Int(chain.node)].prefix
    return node.isRegistered && node.serial == chain.serial
  }

  private func insert(
    _ page: Int32, under parent: Int32, _ hash: UInt64, _ tokens: UnsafeBufferPointer<Int>
  ) -> Int32 {
    lastSerial &+= 1
    var node = PrefixNode(isRegistered: true, parent: parent, hash: hash, serial: lastSerial)
    if parent >= 0 {
      node.nextSibling = records[Int(parent)].prefix.firstChild
      if node.nextSibling >= 0 { records[Int(node.nextSibling)].prefix.previousSibling = page }
      records[Int(parent)].prefix.firstChild = page
    }
    records[Int(page)].prefix = node
    nodes[PrefixKey(parent: parent, hash: hash)] = page
    for (row, token) in tokens.enumerated() { self.tokens[Int(page) * pageSize + row] = token }
    return page
  }

  /// Drops the least recently used idle prefix, and what builds on it.
  func evict() {
    guard let page = idle.first else { preconditionFailure("no page is free, and no prefix idle") }
    let node = records[Int(page)].prefix
    if node.nextSibling >= 0 { records[Int(node.nextSibling)].prefix.previousSibling = node.previousSibling }
    if node.previousSibling >= 0 {
      records[Int(node.previousSibling)].prefix.nextSibling = node.nextSibling
    } else if node.parent >= 0 {
      records[Int(node.parent)].prefix.firstChild = node.nextSibling
    }
    drop(page)
  }

  /// Takes a node out of the tree with all below it, but for the links to it. Goes down to a leaf, drops it and comes back.
  private func drop(_ root: Int32) {
    var page = root
    while true {
      let node = records[Int(page)].prefix
      if node.firstChild >= 0 {
        page = node.firstChild
        continue
      }
      nodes[PrefixKey(parent: node.parent, hash: node.hash)] = nil
      records[Int(page)].prefix = PrefixNode()
      if records[Int(page)].references == 0 {
        idle.remove(page, records)
        makeFree(page)
      }
      if page == root { return }
      records[Int(node.parent)].prefix.firstChild = node.nextSibling
      page = node.parent
    }
  }
}

/// A hash of a page's tokens. It needs to spread and no more: a hit compares the tokens.
private func prefixHash(_ tokens: UnsafeBufferPointer<Int>) -> UInt64 {
  // FNV-1a's multiplication word by word, with a turn that brings high bits down again.
  var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  for token in tokens {
    hash = (hash ^ UInt64(bitPattern: Int64(token))) &* 0x9e37_79b9_7f4a_7c15
    hash ^= hash >> 29
  }
  return hash
}
