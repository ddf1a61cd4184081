import Tensors

#if _endian(big)
  #error(".npy files of this room are little-endian, and it hands out their bytes as they are")
#endif

/// An .npy file, opened and checked: one array, as `numpy.save` writes it.
///
/// [The format](https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html) is a header, text, and the elements. Versions
/// 1.0, 2.0 and 3.0 are read, with elements of `f2 f4 f8 i1 u1 i4 i8 b1`, little-endian, in C or in Fortran order. Opening reads the
/// header only; data is read from the mapped file when it is used. The object may be used from several threads at once.
///
///     let expected: Tensor<Float> = try NumPyFile(path: "expected.npy").tensor()
///
/// - Important: The file must not change while this object or a tensor from it lives, as ``SafetensorsFile`` says.
public final class NumPyFile: Sendable {
  /// The kind of its numbers.
  public let elementType: ElementType

  /// The length of each axis.
  public let shape: Shape

  /// Whether neighbours along the first axis lie side by side, instead of those along the last.
  public let isFortranOrder: Bool

  private let path: String
  private let contents: FileContents
  private let dataStart: Int

  /// Maps a file read-only and checks its header. No data is read or copied.
  ///
  /// - Throws: ``TensorFileError`` where the path does not lead to a regular file that may be read, or the file is not an .npy file of
  ///   a known version, its header is not the dict that NumPy writes, its elements are of another type, big-endian, structured or
  ///   pickled objects, it has more than `AxisValues.maximumRank` axes, or the data is not as long as the shape says.
  public convenience init(path: String) throws(TensorFileError) {
    try self.init(FileContents(mapping: path), path: path)
  }

  /// Checks a file that is in memory already. The bytes are copied once; tensors are views of the copy.
  ///
  /// - Parameters:
  ///   - bytes: the whole file.
  ///   - name: what errors call it.
  /// - Throws: ``TensorFileError`` as ``init(path:)`` does.
  public convenience init(bytes: [UInt8], name: String = "memory") throws(TensorFileError) {
    try self.init(FileContents(copying: bytes), path: name)
  }

  private init(_ contents: FileContents, path: String) throws(TensorFileError) {
    let header = try NumPyHeader(contents.bytes, path: path)
    self.elementType = header.elementType
    self.shape = header.shape
    self.isFortranOrder = header.isFortranOrder
    self.path = path
    self.contents = contents
    self.dataStart = header.dataStart
  }

  /// The array, of the type that the file holds.
  ///
  /// A view of the file where its data is aligned for `E`, as in every file that NumPy wrote; else one copy. In Fortran order the
  /// strides are those of a transposed tensor. The view keeps the file mapped for as long as it lives; writing to it copies first. Bool
  /// data is read once to check it.
  /// - Throws: ``TensorFileError`` where the file holds another type, or a byte of Bool data is not 0 or 1.
  public func tensor<E: TensorElement>(as type: E.Type = E.self) throws(TensorFileError) -> Tensor<E> {
    guard elementType == E.elementType else {
      throw TensorFileError(path: path, reason: "it holds \(elementType), not \(E.elementType)")
    }
    let data = contents.bytes[dataStart...]
    if E.elementType == .bool, let place = data.firstIndex(where: { $0 > 1 }) {
      // Another bit pattern in a Bool is undefined behaviour.
      throw TensorFileError(
        path: path, reason: "the byte \(data[place]) for a bool at byte \(place), expected 0 or 1")
    }
    // Empty data may stand where the mapping ends.
    guard let base = UnsafeRawBufferPointer(rebasing: data).baseAddress, !data.isEmpty else {
      return Tensor(unsafeUninitializedShape: shape) { _ in }
    }
    if Int(bitPattern: base).isMultiple(of: MemoryLayout<E>.alignment) {
      return try view(base, owner: contents)
    }
    let copy = FileContents(copying: Array(data))
    guard let base = copy.bytes.baseAddress else { return Tensor(unsafeUninitializedShape: shape) { _ in } }
    return try view(base, owner: copy)
  }

  /// The array converted to another type, whatever the file holds.
  ///
  /// Each element is rounded once, as `Tensor.converted(to:)` says. One row-major copy; none where the type matches.
  /// - Throws: ``TensorFileError`` where a byte of Bool data is not 0 or 1.
  public func tensor<E: TensorElement>(convertedTo type: E.Type) throws(TensorFileError) -> Tensor<E> {
    func converted<S: TensorElement>(_: S.Type) throws(TensorFileError) -> Tensor<E> {
      try tensor(as: S.self).converted(to: E.self)
    }
    return try converted(elementType.swiftType)
  }

  private func view<E: TensorElement>(
    _ base: UnsafeRawPointer, owner: FileContents
  ) throws(TensorFileError) -> Tensor<E> {
    let elements = base.bindMemory(
      to: E.self, capacity: (contents.bytes.count - dataStart) / MemoryLayout<E>.stride)
    let strides = isFortranOrder ? columnMajorStrides : shape.rowMajorStrides
    do {
      return try Tensor(unsafeExternal: elements, shape: shape, strides: strides, owner: owner)
    } catch {
      throw TensorFileError(path: path, reason: "\(error)")
    }
  }

  private var columnMajorStrides: Strides {
    let reversed = Shape(Array(shape.reversed())).rowMajorStrides
    return Strides(Array(reversed.reversed()))
  }
}
