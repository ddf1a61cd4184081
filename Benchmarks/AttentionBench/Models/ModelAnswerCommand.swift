import ArgumentParser
import Attention
import BenchmarkKit
import Foundation
import LinearAlgebra
import Parallelism
import Transformer

/// Our own models in the protocol of `Peers/model_peers.py`: a child of `attention-bench model`, so that its memory is that of one model.
struct ModelAnswerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "model-answer",
    abstract: "Run a model whenever a line on standard input asks for it: what `model` starts.",
    shouldDisplay: false)

  @Option(help: "Threads of our kernels.")
  var threads: Int

  func validate() throws { try checkThreads(threads) }

  func run() throws {
    var model = AnsweringModel(pool: WorkerPool(threads: threads))
    try AnswerLoop.run { try model.reply(to: $0, $1) }
  }
}

/// The model that was loaded last.
private struct AnsweringModel {
  private enum Model {
    case none
    case decoder(DecoderModel, cache: KeyValueType)
    case encoder(SentenceEncoder)
  }

  let pool: WorkerPool
  private var model = Model.none
  private var context = 0

  init(pool: WorkerPool) { self.pool = pool }

  mutating func reply(to request: PeerRequestHead, _ line: Data) throws -> any Encodable {
    func body<Body: Decodable>(_: Body.Type) throws -> Body {
      try JSONDecoder().decode(Body.self, from: line)
    }
    switch request.task {
    case "load": return PeerReply(to: request.request, try load(body(ModelLoad.self)))
    case "prefill":
      let prompt = try body(ModelPrompt.self).tokens
      let continued = try continuation(prompt, count: 1)
      return PeerReply(
        to: request.request, ModelPrefilled(seconds: continued.secondsPrefill, token: continued.tokens[0]))
    case "generate":
      let asked = try body(ModelContinuation.self)
      return PeerReply(to: request.request, try continuation(asked.tokens, count: asked.count))
    case "batch": return PeerReply(to: request.request, try batch(body(ModelBatch.self)))
    case "embed":
      guard case .encoder(let encoder) = model else { throw Unsuitable(reason: "no encoder is loaded") }
      let file = try body(ModelTexts.self).file
      let texts = try JSONDecoder().decode([String].self, from: Data(contentsOf: URL(filePath: file)))
      let start = Stopwatch.seconds()
      let rows = try encoder.encode(texts).shape[0]
      return PeerReply(
        to: request.request, ModelEmbedded(seconds: Stopwatch.seconds() - start, rows: rows))
    case "memory":
      return PeerReply(
        to: request.request,
        ModelMemory(peakBytes: try statusBytes("VmHWM"), residentBytes: try statusBytes("VmRSS")))
    default: throw Unsuitable(reason: "cannot \(request.task)")
    }
  }

  private mutating func load(_ asked: ModelLoad) throws -> ModelLoaded {
    model = .none
    let types: [String: WeightType] = ["f32": .float32, "f16": .float16, "bf16": .bfloat16, "int8": .int8]
    guard let weights = types[asked.weights] else { throw Unsuitable(reason: "no weights \(asked.weights)") }
    let caches: [String: KeyValueType] = ["f32": .float32, "f16": .float16, "bf16": .bfloat16, "int8": .int8]
    guard let cache = caches[asked.cache ?? "bf16"] else {
      throw Unsuitable(reason: "no cache \(asked.cache ?? "")")
    }
    context = asked.context
    let start = Stopwatch.seconds()
    var isFolder: ObjCBool = false
    if FileManager.default.fileExists(atPath: asked.model, isDirectory: &isFolder), isFolder.boolValue {
      model = .encoder(try SentenceEncoder(path: asked.model, weights: weights, on: pool))
    } else {
      // The tokenizer too, which a program cannot do without.
      let language = try LanguageModel(path: asked.model, weights: weights, context: context, on: pool)
      model = .decoder(language.decoder, cache: cache)
    }
    return ModelLoaded(
      seconds: Stopwatch.seconds() - start, call: "weights \(weights), cache \(cache)")
  }

  private var decoder: (DecoderModel, KeyValueType) {
    get throws {
      guard case .decoder(let decoder, let cache) = model else {
        throw Unsuitable(reason: "no language model is loaded")
      }
      return (decoder, cache)
    }
  }

  private func continuation(_ prompt: [Int], count: Int) throws -> ModelContinued {
    let (decoder, cache) = try decoder
    let pages = (prompt.count + count + 63) / 64 + 1
    let start = Stopwatch.seconds()
    let pool = try decoder.makePool(keys: cache, values: cache, pages: pages)
    let sequence = pool.makeSequence()
    var tokens = [try prefill([prompt], [sequence], decoder)[0]]
    var times = [Stopwatch.seconds()]
    while tokens.count < count {
      tokens += try decode([[tokens[tokens.count - 1]]], [sequence], decoder)
      times.append(Stopwatch.seconds())
    }
    return ModelContinued(
      secondsPrefill: times[0] - start, secondsEach: zip(times.dropFirst(), times).map { $0 - $1 },
      tokens: tokens)
  }

  private func batch(_ asked: ModelBatch) throws -> ModelBatched {
    let (decoder, cache) = try decoder
    let start = Stopwatch.seconds()
    if asked.isTogether {
      let rows = asked.prompts.reduce(0) { $0 + ($1.count + asked.count + 63) / 64 + 1 }
      let pool = try decoder.makePool(keys: cache, values: cache, pages: rows)
      let sequences = asked.prompts.map { _ in pool.makeSequence() }
      var next = try prefill(asked.prompts, sequences, decoder)
      for _ in 1..<asked.count { next = try decode(next.map { [$0] }, sequences, decoder) }
    } else {
      for prompt in asked.prompts { _ = try continuation(prompt, count: asked.count) }
    }
    return ModelBatched(seconds: Stopwatch.seconds() - start)
  }

  /// The tokens after some prompts, which are read in steps of 512 tokens: the next ones of each, as far as there is room.
  private func prefill(
    _ prompts: [[Int]], _ sequences: [KeyValueSequence], _ decoder: DecoderModel
  ) throws -> [Int] {
    var next = [Int](repeating: 0, count: prompts.count)
    var done = next
    while let first = prompts.indices.first(where: { done[$0] < prompts[$0].count }) {
      var (room, members, chunks) = (512, [Int](), [[Int]]())
      for index in first..<prompts.count where room > 0 && done[index] < prompts[index].count {
        let chunk = Array(prompts[index][done[index]...].prefix(room))
        members.append(index)
        chunks.append(chunk)
        room -= chunk.count
        done[index] += chunk.count
      }
      let step = try KeyValueStep(members.map { sequences[$0] }, appending: chunks)
      let states = try decoder.states(chunks, step)
      try step.commit()
      var row = -1
      for (index, chunk) in zip(members, chunks) {
        row += chunk.count
        guard done[index] == prompts[index].count else { continue }
        next[index] = try mostLikely(decoder.logits(of: states, rows: [row]))[0]
      }
    }
    return next
  }

  private func decode(
    _ tokens: [[Int]], _ sequences: [KeyValueSequence], _ decoder: DecoderModel
  ) throws -> [Int] {
    let step = try KeyValueStep(sequences, appending: tokens)
    let logits = try decoder.logits(of: decoder.states(tokens, step), rows: Array(tokens.indices))
    try step.commit()
    return try mostLikely(logits)
  }

  private func mostLikely(_ logits: Tensor<Float>) throws -> [Int] {
    try logits.argmax().elements.map { Int($0) }
  }
}

/// Memory of this process as Linux counts it.
private func statusBytes(_ field: String) throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
  for line in status.split(separator: "\n") where line.hasPrefix("\(field):") {
    let words = line.split(whereSeparator: \.isWhitespace)
    if words.count > 1, let kibibytes = Int(words[1]) { return kibibytes << 10 }
  }
  throw Unsuitable(reason: "/proc/self/status has no \(field)")
}
