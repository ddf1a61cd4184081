import Tensors

extension SafetensorsFile {
  /// A tensor of the type that the file holds.
  ///
  /// A view of the file where its data is aligned for `E`, as in every file that a current writer made; else one copy. The
  /// view keeps the file mapped for as long as it lives; writing to it copies first. Bool data is read once to check it.
  /// - Parameters:
  ///   - name: one of ``names``.
  ///   - type: the type of its elements.
  /// - Throws: ``TensorFileError`` where there is no such tensor, it holds another type, or a byte of Bool data is not 0 or 1.
  public func tensor<E: TensorElement>(
    _ name: String, as type: E.Type = E.self
  ) throws(TensorFileError) -> Tensor<E> {
    let entry = try checkedEntry(name)
    guard entry.elementType == E.elementType else {
      throw TensorFileError(
        path: path, reason: "tensor \(quoted(name)) holds \(entry.elementType), not \(E.elementType)")
    }
    if let view = try view(of: entry, as: E.self) { return view }
    return Tensor(unsafeUninitializedShape: entry.shape) { target in
      withBytes(of: entry) { UnsafeMutableRawBufferPointer(target).copyMemory(from: $0) }
    }
  }

  /// A tensor converted to another type, whatever the file holds.
  ///
  /// Each element goes through Double: exact where `E` can hold it, else the nearest value, ties to even. Int64 beyond 2⁵³
  /// rounds to Double first. To integers, fractions round towards zero, what is out of range saturates and NaN becomes 0;
  /// to Bool, everything but 0 is true; from Bool, true is 1.
  /// One copy; none where the type matches, as ``tensor(_:as:)``.
  /// - Throws: ``TensorFileError`` where there is no such tensor, or a byte of Bool data is not 0 or 1.
  @inlinable
  public func tensor<E: TensorElement>(
    _ name: String, convertedTo type: E.Type
  ) throws(TensorFileError) -> Tensor<E> {
    let entry = try checkedEntry(name)
    if entry.elementType == E.elementType { return try tensor(name) }
    return Tensor(unsafeUninitializedShape: entry.shape) { target in
      // In chunks of 4 KiB, so that the types meet in two loops, one per type, rather than one per pair of types.
      withUnsafeTemporaryAllocation(of: Double.self, capacity: 512) { chunk in
        for start in stride(from: 0, to: target.count, by: chunk.count) {
          let count = min(chunk.count, target.count - start)
          loadDoubles(of: entry, from: start, count: count, into: chunk)
          for index in 0..<count {
            target.initializeElement(at: start + index, to: E(nearest: chunk[index]))
          }
        }
      }
    }
  }
}

extension SafetensorsFile {
  /// The entry of a tensor whose data can be handed out.
  @usableFromInline
  func checkedEntry(_ name: String) throws(TensorFileError) -> Entry {
    guard let entry = self[name] else {
      throw TensorFileError(
        path: path, reason: "no tensor \(quoted(name)); \(suggestion(for: name, among: names))")
    }
    if entry.elementType == .bool {
      // Another bit pattern in a Bool is undefined behaviour.
      let isBoolean = withBytes(of: entry) { $0.reduce(0) { $0 | $1 } <= 1 }
      guard isBoolean else {
        throw TensorFileError(
          path: path, reason: "tensor \(quoted(name)) of bool has a byte that is not 0 or 1")
      }
    }
    return entry
  }

  /// Part of a tensor's elements as Double.
  @usableFromInline
  func loadDoubles(
    of entry: Entry, from start: Int, count: Int, into target: UnsafeMutableBufferPointer<Double>
  ) {
    func load<S: TensorElement>(_: S.Type) {
      withBytes(of: entry) { bytes in
        for index in 0..<count {
          let element = bytes.loadUnaligned(
            fromByteOffset: (start + index) * MemoryLayout<S>.stride, as: S.self)
          target.initializeElement(at: index, to: element.doubleValue)
        }
      }
    }
    switch entry.elementType {
    case .float64: load(Double.self)
    case .float32: load(Float.self)
    case .float16: load(Float16.self)
    case .bfloat16: load(BFloat16.self)
    case .int64: load(Int64.self)
    case .int32: load(Int32.self)
    case .int8: load(Int8.self)
    case .uint8, .bool: load(UInt8.self)
    }
  }

  /// The tensor in place; nil where its data is not aligned, or empty: it may then stand where the mapping ends.
  private func view<E: TensorElement>(
    of entry: Entry, as type: E.Type
  ) throws(TensorFileError) -> Tensor<E>? {
    guard let base = withBytes(of: entry, { $0.isEmpty ? nil : $0.baseAddress }),
      Int(bitPattern: base).isMultiple(of: MemoryLayout<E>.alignment)
    else { return nil }
    do {
      return try Tensor(
        unsafeExternal: base.bindMemory(to: E.self, capacity: entry.byteRange.count / MemoryLayout<E>.stride),
        shape: entry.shape, owner: contents)
    } catch {
      throw TensorFileError(path: path, reason: "\(error)")
    }
  }
}
