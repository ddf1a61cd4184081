import Tensors

/// Collects tensors and writes them as a safetensors file.
///
/// The bytes are those of the Rust crate for the same tensors: data ordered by alignment (I64 F64 F32 I32 BF16 F16 I8 U8 BOOL),
/// then by name, the header padded with spaces to a multiple of 8, so that every tensor is aligned for its type.
/// Metadata, whose order the crate leaves to chance, is ordered by key: the same input gives the same file.
///
///     var writer = SafetensorsWriter(metadata: ["op": "Attention"])
///     try writer.add("Q", queries)
///     try writer.write(to: "case.safetensors")
public struct SafetensorsWriter: Sendable {
  /// One tensor, its element type erased.
  struct Entry: Sendable {
    let name: String
    let elementType: ElementType
    let shape: Shape
    let byteCount: Int
    let write: @Sendable (ByteSink) throws(TensorFileError) -> Void
  }

  /// Takes a file's bytes piece by piece.
  package typealias ByteSink = (UnsafeRawBufferPointer) throws(TensorFileError) -> Void

  private let metadata: [String: String]
  private var entries: [Entry] = []
  private var names: Set<String> = []

  /// A writer without tensors; `metadata` is text about the file, left out of the header where it is empty.
  public init(metadata: [String: String] = [:]) {
    self.metadata = metadata
  }

  /// Adds a tensor. It is kept, not copied, and read when the file is written.
  ///
  /// Views of any strides are fine; one that is not row-major costs a copy of itself while it is written.
  /// - Throws: ``TensorFileError`` where the name is taken, is `__metadata__`, which the format reserves, or has more than
  ///   30 combining marks in a row, which ``SafetensorsFile`` refuses.
  public mutating func add<E: TensorElement>(_ name: String, _ tensor: Tensor<E>) throws(TensorFileError) {
    try add(name, E.elementType, tensor.shape) { (sink) throws(TensorFileError) in
      let rows = tensor.contiguous()
      defer { withExtendedLifetime(rows) {} }
      try rows.withUnsafePointer { (base) throws(TensorFileError) in
        try sink(UnsafeRawBufferPointer(start: base, count: rows.count * MemoryLayout<E>.stride))
      }
    }
  }

  /// Adds a tensor that lies in pieces.
  ///
  /// - Parameters:
  ///   - type: the kind of its numbers.
  ///   - write: hands all bytes over, in order and in pieces of any size, each time it is called: as many as the shape has, which is
  ///     checked.
  /// - Throws: ``TensorFileError`` as for a tensor in one piece.
  package mutating func add(
    _ name: String, _ type: ElementType, _ shape: Shape,
    _ write: @escaping @Sendable (ByteSink) throws(TensorFileError) -> Void
  ) throws(TensorFileError) {
    guard name != SafetensorsHeader.metadataName else {
      throw TensorFileError(
        path: Self.unnamed, reason: "no tensor can have the reserved name \(quoted(name))")
    }
    guard name.isStreamSafe else {
      throw TensorFileError(path: Self.unnamed, reason: "\(String.streamSafeDefect): \(quoted(name))")
    }
    guard let count = shape.checkedElementCount,
      case let (byteCount, overflow) = count.multipliedReportingOverflow(by: type.byteCount),
      !overflow
    else {
      throw TensorFileError(
        path: Self.unnamed, reason: "the size of tensor \(quoted(name)) \(shape) does not fit an Int")
    }
    guard names.insert(name).inserted else {
      throw TensorFileError(path: Self.unnamed, reason: "there is a tensor \(quoted(name)) already")
    }
    entries.append(
      Entry(name: name, elementType: type, shape: shape, byteCount: byteCount) {
        (sink) throws(TensorFileError) in
        var written = 0
        try write { (piece) throws(TensorFileError) in
          written += piece.count
          try sink(piece)
        }
        precondition(written == byteCount, "tensor \(quoted(name)) of \(byteCount) bytes wrote \(written)")
      })
  }

  /// Writes the file, whole or not at all.
  ///
  /// The bytes go to a new file in the same directory, which takes the name `path` when they are on disk; readers see the old
  /// file or the new one, and those that have the old one mapped keep it. The permissions are 0666 less the umask. A symbolic
  /// link at `path` is replaced, not followed.
  /// - Throws: ``TensorFileError`` where the directory is missing or cannot be written, the disk is full, `path` is something
  ///   other than a regular file, or the header would be over 100 MB. The new file is removed, an old one stays as it was.
  public func write(to path: String) throws(TensorFileError) {
    let (header, ordered) = try layout(path: path)
    try replaceFile(at: path) { (sink) throws(TensorFileError) in try emit(header, ordered, to: sink) }
  }

  /// The file as it would be written.
  ///
  /// - Throws: ``TensorFileError`` where the header would be over 100 MB or the size does not fit an Int.
  public func bytes() throws(TensorFileError) -> [UInt8] {
    let (header, ordered) = try layout(path: Self.unnamed)
    var bytes: [UInt8] = []
    bytes.reserveCapacity(header.count + ordered.reduce(0) { $0 + $1.byteCount })
    try emit(header, ordered) { (piece) throws(TensorFileError) in bytes += piece }
    return bytes
  }

  /// What errors call a file that has no path yet.
  private static let unnamed = "safetensors"

  private func emit(_ header: [UInt8], _ ordered: [Entry], to sink: ByteSink) throws(TensorFileError) {
    try header.span.withUnsafeBytes { (piece) throws(TensorFileError) in try sink(piece) }
    for entry in ordered where entry.byteCount > 0 { try entry.write(sink) }
  }
}

// MARK: - Header

extension SafetensorsWriter {
  /// The length, the JSON and its padding; and the tensors in the order of their data.
  private func layout(path: String) throws(TensorFileError) -> (header: [UInt8], ordered: [Entry]) {
    let ordered = entries.sorted {
      let (left, right) = ($0.elementType.layoutRank, $1.elementType.layoutRank)
      return left != right ? left < right : $0.name.utf8.lexicographicallyPrecedes($1.name.utf8)
    }
    var members: [String] = []
    if !metadata.isEmpty {
      guard metadata.allSatisfy({ $0.key.isStreamSafe && $0.value.isStreamSafe }) else {
        throw TensorFileError(path: path, reason: "metadata: \(String.streamSafeDefect)")
      }
      let texts = metadata.sorted { $0.key.utf8.lexicographicallyPrecedes($1.key.utf8) }
        .map { "\(jsonString($0.key)):\(jsonString($0.value))" }
      members.append("\(jsonString(SafetensorsHeader.metadataName)):{\(texts.joined(separator: ","))}")
    }
    var begin = 0
    for entry in ordered {
      let (end, overflow) = begin.addingReportingOverflow(entry.byteCount)
      guard !overflow else {
        throw TensorFileError(path: path, reason: "the size of all tensors does not fit an Int")
      }
      let shape = entry.shape.map(String.init).joined(separator: ",")
      members.append(
        "\(jsonString(entry.name)):{\"dtype\":\"\(entry.elementType.safetensorsName)\",\"shape\":[\(shape)],"
          + "\"data_offsets\":[\(begin),\(end)]}")
      begin = end
    }
    var json = Array("{\(members.joined(separator: ","))}".utf8)
    json += [UInt8](repeating: UInt8(ascii: " "), count: (8 - json.count % 8) % 8)
    guard json.count <= SafetensorsHeader.maximumByteCount else {
      throw TensorFileError(
        path: path,
        reason: "a header of \(json.count) bytes, at most \(SafetensorsHeader.maximumByteCount) are allowed")
    }
    let length = (0..<8).map { UInt8(truncatingIfNeeded: json.count >> (8 * $0)) }
    return (length + json, ordered)
  }

  /// A JSON string as serde_json writes it: quotes, backslashes and control characters escaped, all else as it is.
  private func jsonString(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"", "\\": result += "\\\(scalar)"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{0}"..."\u{F}": result += "\\u000" + String(scalar.value, radix: 16)
      case "\u{10}"..."\u{1F}": result += "\\u00" + String(scalar.value, radix: 16)
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}

extension ElementType {
  /// The place of a type's tensors among the data: the crate's order of dtypes, from the widest alignment down.
  fileprivate var layoutRank: Int {
    switch self {
    case .int64: 0
    case .float64: 1
    case .float32: 2
    case .int32: 3
    case .bfloat16: 4
    case .float16: 5
    case .int8: 6
    case .uint8: 7
    case .bool: 8
    }
  }
}
