import Tensors

#if _endian(big)
  #error("GGUF files are little-endian, and this room hands out their bytes as they are")
#endif

/// A GGUF file, opened and checked: the weights of a language model with the numbers and the vocabulary to run it.
///
/// [The format](https://github.com/ggml-org/ggml/blob/master/docs/gguf.md) is a list of metadata, a list of tensors and their data.
/// Versions 2 and 3 in little-endian order are read. Opening checks all of the head and indexes it; metadata is decoded when it is
/// asked for, data is read from the mapped file when it is used. The object may be used from several threads at once.
///
///     let file = try GGUFFile(path: "model.gguf")
///     let depth = file.integer("llama.block_count")
///     let embeddings = try file.tensor("token_embd.weight", convertedTo: Float.self)
///
/// All strings must be UTF-8, those of vocabularies too. Keys and names are compared as Swift compares strings: two spellings of the
/// same Unicode text are one name, and a file that has both is refused.
///
/// - Important: The file must not change while this object or a tensor from it lives, as ``SafetensorsFile`` says.
public final class GGUFFile: Sendable {
  /// What the file says about one tensor.
  public struct Entry: Sendable {
    /// How its weights are stored.
    public let type: GGUFTensorType

    /// The length of each axis, the last one contiguous: the file's own order reversed.
    public let shape: Shape

    /// Where its bytes are, counted from the first byte of data, as the file's offsets are.
    public let byteRange: Range<Int>
  }

  /// The version of the format, 2 or 3.
  public let version: Int

  /// What the place of each tensor is a multiple of: `general.alignment`, 32 where the file does not say.
  public let alignment: Int

  /// The names of all tensors, in the order of the file.
  public let names: [String]

  /// The keys of all metadata, in the order of the file.
  public let metadataKeys: [String]

  let path: String
  let contents: FileContents
  let values: [String: GGUFHeader.ValuePlace]
  let dataStart: Int
  private let entries: [String: Entry]

  /// Maps a file read-only and checks all but its data. No data is read or copied.
  ///
  /// - Throws: ``TensorFileError`` where the path does not lead to a regular file that may be read, or the file breaks a rule of the
  ///   format: another version or byte order, a count or length beyond the end of the file, text that is not UTF-8, an unknown type,
  ///   a bool that is not 0 or 1, arrays within more than three others, a key or name that comes twice, a tensor that overlaps
  ///   another, leaves the file or is not aligned.
  public convenience init(path: String) throws(TensorFileError) {
    try self.init(FileContents(mapping: path), path: path)
  }

  /// Checks a file that is in memory already. The bytes are copied once.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - name: what errors call it.
  /// - Throws: ``TensorFileError`` where the bytes break a rule of the format, as ``init(path:)`` does.
  public convenience init(bytes: [UInt8], name: String = "memory") throws(TensorFileError) {
    try self.init(FileContents(copying: bytes), path: name)
  }

  private init(_ contents: FileContents, path: String) throws(TensorFileError) {
    let header = try GGUFHeader(contents.bytes, path: path)
    self.version = header.version
    self.alignment = header.alignment
    self.names = header.names
    self.metadataKeys = header.keys
    self.path = path
    self.contents = contents
    self.values = header.values
    self.dataStart = header.dataStart
    self.entries = header.entries
  }

  /// What the file says about a tensor; nil where it has none of this name.
  public subscript(name: String) -> Entry? { entries[name] }
}
