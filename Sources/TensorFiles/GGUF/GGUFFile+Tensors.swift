import CTensorFiles
import Tensors

extension GGUFFile {
  /// A tensor converted to another type, however the file stores it.
  ///
  /// Each weight is first the Float that its storage type defines, as ``GGUFTensorType`` says; then it is rounded once to `E`, as
  /// `Tensor.converted(to:)` rounds: to nearest, ties to even. One copy; a view of the file where it stores plain numbers of
  /// type `E`.
  ///
  ///     let embeddings = try file.tensor("token_embd.weight", convertedTo: BFloat16.self)
  ///
  /// - Parameters:
  ///   - name: one of ``names``.
  ///   - type: the type of the result's elements.
  /// - Throws: ``TensorFileError`` where there is no such tensor.
  public func tensor<E: TensorElement>(
    _ name: String, convertedTo type: E.Type
  ) throws(TensorFileError) -> Tensor<E> {
    guard let entry = self[name] else {
      throw TensorFileError(
        path: path, reason: "no tensor \(quoted(name)); \(suggestion(for: name, among: names))")
    }
    return entry.type.elementType == E.elementType ? try view(of: entry) : converted(entry)
  }

  /// The tensor in place. Its data is aligned: the alignment of a file is at least that of any element.
  private func view<E: TensorElement>(of entry: Entry) throws(TensorFileError) -> Tensor<E> {
    let base = start(of: entry).bindMemory(
      to: E.self, capacity: entry.byteRange.count / MemoryLayout<E>.stride)
    do {
      return try Tensor(unsafeExternal: base, shape: entry.shape, owner: contents)
    } catch {
      throw TensorFileError(path: path, reason: "\(error)")
    }
  }

  /// By way of Floats, which stay in the second cache, so that the rounding is the tensors' own.
  private func converted<E: TensorElement>(_ entry: Entry) -> Tensor<E> {
    let capacity = 1 << 16
    return Tensor(unsafeUninitializedShape: entry.shape) { target in
      if E.elementType == .float32, let base = target.baseAddress {
        return base.withMemoryRebound(to: Float.self, capacity: target.count) {
          readWeights(entry, 0..<target.count, into: $0)
        }
      }
      for start in stride(from: 0, to: target.count, by: capacity) {
        let count = min(capacity, target.count - start)
        let floats = Tensor<Float>(unsafeUninitializedShape: [count]) { chunk in
          guard let base = chunk.baseAddress else { return }
          readWeights(entry, start..<start + count, into: base)
        }
        floats.converted(to: E.self).withUnsafePointer { rounded in
          _ = target[start..<start + count].update(
            fromContentsOf: UnsafeBufferPointer(start: rounded, count: count))
        }
      }
    }
  }
}

// MARK: - Rows

extension GGUFFile {
  /// Writes whole rows, along the last axis, as Floats; several threads may do so at once.
  ///
  /// - Parameters:
  ///   - entry: one of this file's.
  ///   - rows: of all the rows in row-major order.
  ///   - target: memory for as many weights as the rows have.
  package func readRows(_ entry: Entry, rows: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    let length = entry.shape.fromEnd(1)
    let count = entry.shape.dropLast().reduce(1, *)
    precondition(
      rows.lowerBound >= 0 && rows.upperBound <= count, "rows \(rows) of a tensor of \(count) rows")
    readWeights(entry, rows.lowerBound * length..<rows.upperBound * length, into: target)
  }

  /// Says that a tensor of a mapped file is not read again soon: its memory can serve others.
  package func adviseDone(_ entry: Entry) {
    contents.release(dataStart + entry.byteRange.lowerBound..<dataStart + entry.byteRange.upperBound)
  }

  /// The first byte of a tensor.
  private func start(of entry: Entry) -> UnsafeRawPointer {
    let end = dataStart + entry.byteRange.upperBound
    guard let base = contents.bytes.baseAddress, end <= contents.bytes.count else {
      preconditionFailure("an entry that ends at byte \(end) of a file of \(contents.bytes.count) bytes")
    }
    return base + dataStart + entry.byteRange.lowerBound
  }

  /// Writes weights of whole blocks as Floats.
  private func readWeights(_ entry: Entry, _ range: Range<Int>, into target: UnsafeMutablePointer<Float>) {
    let blocks = range.lowerBound / entry.type.blockSize..<range.upperBound / entry.type.blockSize
    withExtendedLifetime(contents) {
      let from =
        start(of: entry).assumingMemoryBound(to: UInt8.self)
        + blocks.lowerBound * entry.type.blockByteCount
      switch entry.type {
      case .f32: UnsafeMutableRawPointer(target).copyMemory(from: from, byteCount: 4 * range.count)
      case .f16: CTensorFiles_dequantizeF16(from, blocks.count, target)
      case .bf16: CTensorFiles_dequantizeBF16(from, blocks.count, target)
      case .q8_0: CTensorFiles_dequantizeQ8_0(from, blocks.count, target)
      case .q4_0: CTensorFiles_dequantizeQ4_0(from, blocks.count, target)
      case .q4_1: CTensorFiles_dequantizeQ4_1(from, blocks.count, target)
      case .q5_0: CTensorFiles_dequantizeQ5_0(from, blocks.count, target)
      case .q5_1: CTensorFiles_dequantizeQ5_1(from, blocks.count, target)
      case .q4_K: CTensorFiles_dequantizeQ4_K(from, blocks.count, target)
      case .q5_K: CTensorFiles_dequantizeQ5_K(from, blocks.count, target)
      case .q6_K: CTensorFiles_dequantizeQ6_K(from, blocks.count, target)
      }
    }
  }
}
