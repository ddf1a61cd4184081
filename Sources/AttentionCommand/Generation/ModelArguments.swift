import ArgumentParser
import Attention
import LinearAlgebra
import Transformer

/// How a model is stored in memory and computed.
struct ModelArguments: ParsableArguments {
  @Option(help: "What weights are stored in: f32, f16, bf16 or int8.")
  var weights = WeightName.bf16

  @Option(help: "What keys and values are stored in: f32, bf16, f16 or int8.")
  var cache = CacheName.bf16

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tokens of a text. (default: what the model was trained with, at most 8192)", valueName: "n"))
  var context: Int?

  @Option(parsing: .unconditional, help: "Threads to compute with. (default: what the process may use)")
  var threads: Int?

  func validate() throws {
    if let context, context < 1 { throw ValidationError("--context: \(context), expected at least 1") }
    if let threads, !(1...WorkerPool.maximumThreadCount).contains(threads) {
      throw ValidationError("--threads: \(threads), expected 1 to \(WorkerPool.maximumThreadCount)")
    }
  }

  /// The threads that were asked for: to be made once, and shared by all models of a command.
  func makeWorkers() -> WorkerPool { threads.map { WorkerPool(threads: $0) } ?? .shared }
}

/// A type of weights, as flags call it.
enum WeightName: String, CaseIterable, ExpressibleByArgument {
  case f32, f16, bf16, int8

  var type: WeightType {
    switch self {
    case .f32: .float32
    case .f16: .float16
    case .bf16: .bfloat16
    case .int8: .int8
    }
  }
}

/// A type of keys and values, as flags call it.
enum CacheName: String, CaseIterable, ExpressibleByArgument {
  case f32, bf16, f16, int8

  var type: KeyValueType {
    switch self {
    case .f32: .float32
    case .bf16: .bfloat16
    case .f16: .float16
    case .int8: .int8
    }
  }
}
