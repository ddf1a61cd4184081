import ArgumentParser
import Attention
import LinearAlgebra
import Transformer

/// How a model is stored in memory and computed.
struct ModelArguments: ParsableArguments {
  @Option(help: "What weights are stored in: f32, f16, bf16 or int8.")
  var weights = WeightName.bf16

  @Option(
    help:
      "What keys and values are stored in: f32, bf16, f16, int8, or planes, which are keys of 16 bits in two planes of bytes beside values of int8."
  )
  var cache = CacheName.bf16

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "With --cache planes, how far attention of a token may be off, as a share of the largest value, such as 0.01: few low bytes are read then. (default: all are)",
      valueName: "share"))
  var tolerance: Double?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp(
      "The most tokens of a text. (default: what the model was trained with, at most 8192)", valueName: "n"))
  var context: Int?

  @Option(parsing: .unconditional, help: "Threads to compute with. (default: what the process may use)")
  var threads: Int?

  func validate() throws {
    if let context, context < 1 { throw ValidationError("--context: \(context), expected at least 1") }
    if let tolerance {
      guard tolerance >= 0, tolerance.isFinite else {
        throw ValidationError("--tolerance: \(tolerance), expected a finite number from 0 on")
      }
      guard cache == .planes else {
        throw ValidationError("--tolerance: goes with --cache planes, not with \(cache.rawValue)")
      }
    }
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
  case f32, bf16, f16, int8, planes

  var keys: KeyValueType {
    switch self {
    case .f32: .float32
    case .bf16: .bfloat16
    case .f16: .float16
    case .int8: .int8
    case .planes: .planes
    }
  }

  var values: KeyValueType {
    switch self {
    case .f32, .bf16, .f16, .int8: keys
    case .planes: .int8
    }
  }
}
