import Foundation
import LinearAlgebra
import TensorFiles
import Tensors

/// The tensors of a folder in Hugging Face's layout: `model.safetensors`, or the shards that `model.safetensors.index.json` names.
struct SafetensorsWeights: WeightSource {
  let path: String
  private let files: [SafetensorsFile]
  /// Which file has a tensor.
  private let places: [String: Int]

  init(folder: String) throws(ModelError) {
    path = folder
    let single = folder + "/model.safetensors"
    let index = folder + "/model.safetensors.index.json"
    if FileManager.default.fileExists(atPath: single) {
      files = [try Self.open(single)]
    } else if FileManager.default.fileExists(atPath: index) {
      files = try Self.shards(index, folder)
    } else {
      throw ModelError(folder, "neither model.safetensors nor model.safetensors.index.json in this folder")
    }
    var places: [String: Int] = [:]
    for (number, file) in files.enumerated() {
      for name in file.names {
        guard places.updateValue(number, forKey: name) == nil else {
          throw ModelError(folder, "tensor \(quoted(name)) is in two files")
        }
      }
    }
    self.places = places
  }

  private static func open(_ path: String) throws(ModelError) -> SafetensorsFile {
    do {
      return try SafetensorsFile(path: path)
    } catch {
      throw ModelError(error.path, error.reason)
    }
  }

  private static func shards(_ index: String, _ folder: String) throws(ModelError) -> [SafetensorsFile] {
    struct Index: Decodable { let weightMap: [String: String] }
    let map: Index = try decoded(try contents(of: index), path: index)
    var files: [SafetensorsFile] = []
    for name in Set(map.weightMap.values).sorted() {
      // A shard lies beside its index: no name may lead elsewhere.
      guard !name.contains("/"), name.hasSuffix(".safetensors") else {
        throw ModelError(
          index, "a shard \(quoted(name)), expected the name of a .safetensors file in this folder")
      }
      files.append(try open(folder + "/" + name))
    }
    guard !files.isEmpty else { throw ModelError(index, "no shards") }
    return files
  }

  func shape(of name: String) -> Shape? { places[name].flatMap { files[$0][name]?.shape } }

  func rows(of name: String) throws(ModelError) -> WeightRows {
    let file = try file(of: name)
    func rows<E: TensorElement>(_ type: E.Type) throws(ModelError) -> WeightRows {
      do {
        let tensor: Tensor<E> = try file.tensor(name)
        let width = tensor.shape.dropFirst().reduce(1, *)
        return WeightRows(count: tensor.shape.first ?? 0) { rows, target in
          tensor.sliced(axis: 0, rows).converted(to: Float.self).withUnsafePointer {
            target.update(from: $0, count: rows.count * width)
          }
        }
      } catch {
        throw ModelError(error.path, error.reason)
      }
    }
    switch file[name]?.elementType {
    case .float32: return try rows(Float.self)
    case .float16: return try rows(Float16.self)
    case .bfloat16: return try rows(BFloat16.self)
    case .float64: return try rows(Double.self)
    case .int64, .int32, .int8, .uint8, .bool, nil:
      throw ModelError(path, "tensor \(quoted(name)) holds no floating-point numbers")
    }
  }

  func floats(_ name: String) throws(ModelError) -> Tensor<Float> {
    do {
      return try file(of: name).tensor(name, convertedTo: Float.self)
    } catch let error as TensorFileError {
      throw ModelError(error.path, error.reason)
    } catch {
      throw ModelError(path, "\(error)")
    }
  }

  func finish(_ name: String) {}

  private func file(of name: String) throws(ModelError) -> SafetensorsFile {
    guard let place = places[name] else { throw ModelError(path, "no tensor \(quoted(name))") }
    return files[place]
  }
}

/// The bytes of a small file.
func contents(of path: String) throws(ModelError) -> Data {
  do {
    return try Data(contentsOf: URL(filePath: path))
  } catch {
    throw ModelError(path, "cannot read it")
  }
}
