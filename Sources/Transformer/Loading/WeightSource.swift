import LinearAlgebra
import TensorFiles
import Tensors

/// Where a model's weights come from: a GGUF file, or the safetensors of a folder.
protocol WeightSource: Sendable {
  /// What errors call it.
  var path: String { get }
  /// The shape of a tensor; nil where there is none of this name.
  func shape(of name: String) -> Shape?
  /// The rows of a matrix, converted to Float as they are read. The name is one of the source's.
  func rows(of name: String) throws(ModelError) -> WeightRows
  /// A whole tensor as Floats. The name is one of the source's.
  func floats(_ name: String) throws(ModelError) -> Tensor<Float>
  /// Says that a tensor is not read again soon.
  func finish(_ name: String)
}

extension WeightSource {
  /// Throws where a tensor is missing or has another shape.
  func check(_ name: String, _ shape: Shape) throws(ModelError) {
    guard let given = self.shape(of: name) else { throw ModelError(path, "no tensor \(quoted(name))") }
    guard given == shape else {
      throw ModelError(path, "tensor \(quoted(name)) has shape \(given), expected \(shape)")
    }
  }

  /// A vector of a known width.
  func vector(_ name: String, width: Int, plus offset: Float = 0) throws(ModelError) -> Tensor<Float> {
    try check(name, [width])
    let numbers = try floats(name)
    return offset == 0 ? numbers.contiguousCopy() : numbers + offset
  }

  /// The matrices of these names as one map, the outputs of one after those of the other. A bias counts where the source has one.
  func linear(
    _ parts: [(name: String, outputs: Int)], inputs: Int, as type: WeightType
  ) throws(ModelError) -> Linear {
    var rows: [WeightRows] = []
    var biases: [Tensor<Float>?] = []
    for part in parts {
      try check(part.name + ".weight", [part.outputs, inputs])
      rows.append(try self.rows(of: part.name + ".weight"))
      let bias = part.name + ".bias"
      biases.append(shape(of: bias) == nil ? nil : try vector(bias, width: part.outputs))
    }
    do {
      var bias: Tensor<Float>?
      if biases.contains(where: { $0 != nil }) {
        let all = zip(biases, parts).map { $0 ?? Tensor.zeros([$1.outputs]) }
        bias = try Tensor.concatenate(all, axis: 0)
      }
      let linear = try Linear(rows, inputs: inputs, bias: bias, as: type)
      for part in parts { finish(part.name + ".weight") }
      return linear
    } catch {
      throw ModelError(path, "tensor \(quoted(parts[0].name + ".weight")): \(error.reason)")
    }
  }
}

/// The tensors of a GGUF file.
struct GGUFWeights: WeightSource {
  let file: GGUFFile
  let path: String

  func shape(of name: String) -> Shape? { file[name]?.shape }

  func rows(of name: String) throws(ModelError) -> WeightRows {
    let entry = try entry(name)
    return WeightRows(count: entry.shape[0]) { [file] rows, target in
      file.readRows(entry, rows: rows, into: target)
    }
  }

  func floats(_ name: String) throws(ModelError) -> Tensor<Float> {
    do {
      return try file.tensor(name, convertedTo: Float.self)
    } catch {
      throw ModelError(path, error.reason)
    }
  }

  func finish(_ name: String) {
    if let entry = file[name] { file.adviseDone(entry) }
  }

  private func entry(_ name: String) throws(ModelError) -> GGUFFile.Entry {
    guard let entry = file[name] else { throw ModelError(path, "no tensor \(quoted(name))") }
    return entry
  }
}
