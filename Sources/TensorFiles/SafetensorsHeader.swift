import Tensors

/// What the JSON header of a safetensors file says, checked against the length of the data that follows it.
struct SafetensorsHeader {
  /// One tensor's description; ``byteRange`` counts from the first byte of data.
  struct Tensor {
    let name: String
    let elementType: ElementType
    let shape: Shape
    let byteRange: Range<Int>
  }

  /// The longest header that the format allows: a bound on what a reader must hold in memory.
  static let maximumByteCount = 100_000_000

  /// The member of the header that holds text about the file rather than a tensor.
  static let metadataName = "__metadata__"

  private(set) var metadata: [String: String] = [:]

  /// In the order of their data.
  private(set) var tensors: [Tensor] = []

  /// Reads and checks a header.
  ///
  /// The checks are those of the Rust crate: members that are known have the right type, the rest of a tensor's object is
  /// ignored, the data of all tensors fill the buffer without holes, overlaps or left-over bytes. Stricter than the crate:
  /// no name may come twice, no string may hold more than 30 combining marks in a row, `__metadata__` may not be null, objects and dtypes may not be spelled in serde's other ways
  /// (an array, `{"F32": null}`), and the lengths of a shape may not overflow even where another length is 0.
  init(_ json: [UInt8], dataByteCount: Int, path: String) throws(TensorFileError) {
    var scanner = try Scanner(json, path: path)
    guard json.first == UInt8(ascii: "{") else { throw scanner.defect("the header does not start with '{'") }
    var metadata: [String: String] = [:]
    var tensors: [Tensor] = []
    try scanner.object { (scanner, name) throws(TensorFileError) in
      if name == Self.metadataName {
        try scanner.object { (scanner, key) throws(TensorFileError) in metadata[key] = try scanner.string() }
      } else {
        tensors.append(try scanner.tensor(named: name))
      }
    }
    try scanner.end()
    self.metadata = metadata
    self.tensors = try Self.ordered(tensors, dataByteCount: dataByteCount, path: path)
  }

  /// Sorts by position and checks that each tensor begins where the one before it ends.
  private static func ordered(
    _ tensors: [Tensor], dataByteCount: Int, path: String
  ) throws(TensorFileError) -> [Tensor] {
    // An empty tensor comes before the one that begins at the same byte; names make the order of several definite.
    let tensors = tensors.sorted {
      ($0.byteRange.lowerBound, $0.byteRange.upperBound, $0.name)
        < ($1.byteRange.lowerBound, $1.byteRange.upperBound, $1.name)
    }
    var end = 0
    for tensor in tensors {
      let begin = tensor.byteRange.lowerBound
      guard begin == end else {
        let fault = begin < end ? "overlaps the data before it" : "leaves a hole in the data"
        throw TensorFileError(
          path: path, reason: "tensor \(quoted(tensor.name)) \(fault): it begins at byte \(begin), not \(end)"
        )
      }
      end = tensor.byteRange.upperBound
    }
    guard end == dataByteCount else {
      throw TensorFileError(
        path: path, reason: "the tensors take \(end) bytes of data, but the file has \(dataByteCount)")
    }
    return tensors
  }
}

extension SafetensorsHeader.Scanner {
  /// The object that describes one tensor.
  fileprivate mutating func tensor(named name: String) throws(TensorFileError) -> SafetensorsHeader.Tensor {
    var elementType: ElementType?
    var shape: [Int]?
    var offsets: [Int]?
    try object { (scanner, field) throws(TensorFileError) in
      switch field {
      case "dtype": elementType = try scanner.elementType(of: name)
      case "shape": shape = try scanner.shape(of: name)
      case "data_offsets": offsets = try scanner.offsets(of: name)
      default: try scanner.skipValue()
      }
    }
    guard let elementType, let shape, let offsets else {
      let missing = elementType == nil ? "dtype" : shape == nil ? "shape" : "data_offsets"
      throw defect("tensor \(quoted(name)) has no \(missing)")
    }
    guard let byteCount = checkedByteCount(shape, elementType) else {
      throw defect("the size of tensor \(quoted(name)) with shape \(shape) does not fit an Int")
    }
    guard offsets[0] <= offsets[1] else {
      throw defect("tensor \(quoted(name)) ends at byte \(offsets[1]), before it begins at \(offsets[0])")
    }
    guard offsets[1] - offsets[0] == byteCount else {
      throw defect(
        "tensor \(quoted(name)) of \(elementType) with shape \(shape) has \(offsets[1] - offsets[0]) bytes of data, "
          + "expected \(byteCount)")
    }
    return SafetensorsHeader.Tensor(
      name: name, elementType: elementType, shape: Shape(shape), byteRange: offsets[0]..<offsets[1])
  }

  private mutating func elementType(of name: String) throws(TensorFileError) -> ElementType {
    let dtype = try string()
    guard let type = ElementType(safetensorsName: dtype) else {
      let known = ElementType.allCases.map(\.safetensorsName).joined(separator: ", ")
      throw defect("tensor \(quoted(name)) has dtype \(quoted(dtype)), expected one of \(known)")
    }
    return type
  }

  private mutating func shape(of name: String) throws(TensorFileError) -> [Int] {
    var shape: [Int] = []
    try array { (scanner) throws(TensorFileError) in
      guard shape.count < Shape.maximumRank else {
        throw scanner.defect("tensor \(quoted(name)) has more than \(Shape.maximumRank) axes")
      }
      shape.append(try scanner.naturalNumber())
    }
    return shape
  }

  private mutating func offsets(of name: String) throws(TensorFileError) -> [Int] {
    var offsets: [Int] = []
    try array { (scanner) throws(TensorFileError) in
      guard offsets.count < 2 else {
        throw scanner.defect("tensor \(quoted(name)) has more than two offsets")
      }
      offsets.append(try scanner.naturalNumber())
    }
    guard offsets.count == 2 else { throw defect("tensor \(quoted(name)) has fewer than two offsets") }
    return offsets
  }

  /// The bytes that a tensor takes; nil where the product of its lengths overflows.
  ///
  /// Lengths of 0 are left out of the product first: otherwise it would depend on their place whether the others overflow,
  /// and who multiplies them in another order, strides for instance, would still overflow.
  private func checkedByteCount(_ shape: [Int], _ elementType: ElementType) -> Int? {
    var product = elementType.byteCount
    for length in shape where length != 0 {
      let (next, overflow) = product.multipliedReportingOverflow(by: length)
      if overflow { return nil }
      product = next
    }
    return shape.contains(0) ? 0 : product
  }
}

extension ElementType {
  /// What the format calls this type.
  var safetensorsName: String {
    switch self {
    case .float64: "F64"
    case .float32: "F32"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .int64: "I64"
    case .int32: "I32"
    case .int8: "I8"
    case .uint8: "U8"
    case .bool: "BOOL"
    }
  }

  /// The type with this name, if it is one that a tensor can hold.
  init?(safetensorsName name: String) {
    guard let type = Self.allCases.first(where: { $0.safetensorsName == name }) else { return nil }
    self = type
  }
}
