import Tensors

#if _endian(big)
  #error("safetensors files are little-endian, and this room hands out their bytes as they are")
#endif

/// A safetensors file, opened and checked.
///
/// [The format](https://huggingface.co/docs/safetensors) is a length, a JSON header and the tensors' data. Opening reads the
/// header only; data is read from the mapped file when it is used, and shared with every process that maps the same file.
/// The object may be used from several threads at once.
///
/// Names are compared as Swift compares strings: two spellings of the same Unicode text (`é` as one scalar or two) are one
/// name, and a file that has both is refused.
///
/// - Important: The file must not change while this object or a tensor from it lives. Where someone truncates a mapped file,
///   reading the lost part raises SIGBUS and ends the process, which no check in here can prevent; where someone writes to
///   it, tensors may change. Replacing it by renaming another file over it, as ``SafetensorsWriter`` does, is safe. Read
///   the file to an array and use ``init(bytes:name:)`` where others cannot be trusted with it.
public final class SafetensorsFile: Sendable {
  /// What the header says about one tensor.
  public struct Entry: Sendable {
    /// The kind of its numbers.
    public let elementType: ElementType

    /// The length of each axis, the last one contiguous.
    public let shape: Shape

    /// Where its bytes are, counted from the first byte of data, as in the header's `data_offsets`.
    public let byteRange: Range<Int>
  }

  /// The text that the header has under `__metadata__`; empty where it has none.
  public let metadata: [String: String]

  /// The names of all tensors, in the order of their data.
  public let names: [String]

  let path: String
  let contents: FileContents
  private let entries: [String: Entry]
  private let dataStart: Int

  /// Maps a file read-only and checks its header. No data is read or copied.
  ///
  /// - Throws: ``TensorFileError`` where the path does not lead to a regular file that may be read, or the file breaks any
  ///   rule of the format: a length that lies, a header over 100 MB, text that is not strict JSON, a name that comes
  ///   twice, an unknown dtype, more than `AxisValues.maximumRank` axes, data with holes, overlaps or left-over bytes.
  public convenience init(path: String) throws(TensorFileError) {
    try self.init(FileContents(mapping: path), path: path)
  }

  /// Checks a file that is in memory already. The bytes are copied once; tensors are views of the copy.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - name: what errors call it.
  /// - Throws: ``TensorFileError`` where the bytes break a rule of the format, as ``init(path:)`` does.
  public convenience init(bytes: [UInt8], name: String = "memory") throws(TensorFileError) {
    try self.init(FileContents(copying: bytes), path: name)
  }

  private init(_ contents: FileContents, path: String) throws(TensorFileError) {
    let bytes = contents.bytes
    guard bytes.count >= 8 else {
      throw TensorFileError(
        path: path, reason: "\(bytes.count) bytes are too few for the length of the header, 8")
    }
    let headerCount = bytes.loadUnaligned(as: UInt64.self)
    guard headerCount <= SafetensorsHeader.maximumByteCount else {
      throw TensorFileError(
        path: path,
        reason:
          "no safetensors file: its first 8 bytes name a header of \(headerCount) bytes, at most \(SafetensorsHeader.maximumByteCount) are allowed"
      )
    }
    let dataStart = 8 + Int(headerCount)
    guard dataStart <= bytes.count else {
      throw TensorFileError(
        path: path, reason: "a header of \(headerCount) bytes, but only \(bytes.count - 8) follow its length")
    }
    let header = try SafetensorsHeader(
      Array(bytes[8..<dataStart]), dataByteCount: bytes.count - dataStart, path: path)
    self.metadata = header.metadata
    self.names = header.tensors.map(\.name)
    self.path = path
    self.contents = contents
    self.dataStart = dataStart
    var entries: [String: Entry] = [:]
    for tensor in header.tensors {
      entries[tensor.name] = Entry(
        elementType: tensor.elementType, shape: tensor.shape, byteRange: tensor.byteRange)
    }
    self.entries = entries
  }

  /// What the header says about a tensor; nil where it has none of this name.
  public subscript(name: String) -> Entry? { entries[name] }

  /// Calls `body` with the bytes of one tensor, which stay valid while ``contents`` lives.
  package func withBytes<Result>(of entry: Entry, _ body: (UnsafeRawBufferPointer) -> Result) -> Result {
    withExtendedLifetime(contents) {
      let range = dataStart + entry.byteRange.lowerBound..<dataStart + entry.byteRange.upperBound
      return body(UnsafeRawBufferPointer(rebasing: contents.bytes[range]))
    }
  }
}
