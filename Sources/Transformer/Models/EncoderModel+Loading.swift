import Attention
import Foundation
import LinearAlgebra
import Parallelism
import TensorFiles

extension EncoderModel {
  /// A model from a file or folder.
  ///
  /// - Parameters:
  ///   - path: a GGUF file, or a folder with `config.json` and safetensors.
  ///   - weights: what matrices are stored in; norms and biases stay Float, words' embeddings stay in the file.
  ///   - workers: the threads that compute.
  /// - Throws: ``ModelError`` where the file cannot be read, its architecture is unknown, or a tensor is missing, has another shape or an
  ///   unsupported type; nothing is computed then.
  public init(
    path: String, weights: WeightType = .bfloat16, on workers: WorkerPool = .shared
  ) throws(ModelError) {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw ModelError(path, "no such file or folder")
    }
    guard isFolder.boolValue else {
      try self.init(gguf: try openedGGUF(path), path: path, weights: weights, on: workers)
      return
    }
    let json = path + "/config.json"
    let configuration = try EncoderConfiguration(json: try contents(of: json), path: json)
    let source = try SafetensorsWeights(folder: path)
    try self.init(configuration, source, .huggingFace(source), weights, workers)
  }

  /// A model of a GGUF file that is open already.
  ///
  /// - Throws: ``ModelError``, as ``init(path:weights:on:)``.
  public init(
    gguf file: GGUFFile, path: String, weights: WeightType = .bfloat16, on workers: WorkerPool = .shared
  ) throws(ModelError) {
    try self.init(
      EncoderConfiguration(file, path: path), GGUFWeights(file: file, path: path), .gguf, weights, workers)
  }

  private init(
    _ configuration: EncoderConfiguration, _ source: some WeightSource, _ names: EncoderNames,
    _ weights: WeightType, _ workers: WorkerPool
  ) throws(ModelError) {
    let reader = EncoderReader(
      configuration: configuration, source: source, names: names, weights: weights,
      attend: ScaledDotProductAttention(on: workers))
    // Shapes first: a file that does not fit is refused before anything is read.
    try reader.checkShapes()
    self.configuration = configuration
    self.weightType = weights
    self.workers = workers
    embeddings = try reader.embeddings()
    var norm = try reader.norm(names.embeddingNorm)
    var layers: [EncoderLayer] = []
    for index in 0..<configuration.layers {
      layers.append(try reader.layer(index, inputNorm: norm))
      norm = try reader.norm(names.layer(index) + names.outputNorm)
    }
    self.layers = layers
    self.norm = norm
  }
}
