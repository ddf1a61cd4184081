import BenchmarkKit
import Foundation

/// Measures contenders in turn, round by round: what the machine does meanwhile meets all of them.
struct ModelBenchmark {
  let contenders: [ModelContender]
  let rounds: Int
  let progress: Progress

  /// Rows of a language model.
  func languageRows(_ tasks: ModelTasks) -> [ModelRow] {
    var rows = startedRows()
    var prompts: [[Int: [Double]]] = contenders.map { _ in [:] }
    var generations = prompts
    var gains: [[Double]] = contenders.map { _ in [] }
    for round in 0..<rounds {
      for (index, contender) in contenders.enumerated() where contender.refusal == nil {
        progress.show(round * contenders.count + index + 1, contender.name)
        if round == 0 {
          _ = contender.ask("prefill", ModelPrompt(tokens: tasks.tokens(128)), for: ModelPrefilled.self)
        }
        for length in tasks.prompts {
          let reply = contender.ask(
            "prefill", ModelPrompt(tokens: tasks.tokens(length)), for: ModelPrefilled.self)
          if let reply { prompts[index][length, default: []].append(Double(length) / reply.seconds) }
        }
        for length in tasks.contexts {
          let asked = ModelContinuation(tokens: tasks.tokens(length), count: tasks.count)
          if let reply = contender.ask("generate", asked, for: ModelContinued.self) {
            generations[index][length, default: []].append(1 / Quantiles(reply.secondsEach).median)
          }
        }
        if contender.name.hasPrefix("ours"), let gain = batchGain(contender, tasks) {
          gains[index].append(gain)
        }
      }
    }
    for (index, contender) in contenders.enumerated() {
      rows[index].promptRates = prompts[index].mapValues { Quantiles($0).median }
      rows[index].generationRates = generations[index].mapValues { Quantiles($0).median }
      rows[index].batchGain = gains[index].isEmpty ? nil : Quantiles(gains[index]).median
      finish(&rows[index], contender)
    }
    return rows
  }

  /// Eight prompts of 64 tokens with 32 more each: the time one after the other, divided by that together.
  private func batchGain(_ contender: ModelContender, _ tasks: ModelTasks) -> Double? {
    let prompts = (0..<8).map { tasks.tokens(64, from: 97 * $0) }
    let seconds = [false, true].map {
      contender.ask("batch", ModelBatch(prompts: prompts, count: 32, isTogether: $0), for: ModelBatched.self)?
        .seconds
    }
    guard let apart = seconds[0], let together = seconds[1] else { return nil }
    return apart / together
  }

  /// Rows of a sentence encoder.
  func sentenceRows(file: String) -> [ModelRow] {
    var rows = startedRows()
    var rates: [[Double]] = contenders.map { _ in [] }
    for round in 0..<rounds {
      for (index, contender) in contenders.enumerated() where contender.refusal == nil {
        progress.show(round * contenders.count + index + 1, contender.name)
        let reply = contender.ask("embed", ModelTexts(file: file), for: ModelEmbedded.self)
        // The first one sets up what later ones find.
        if let reply, round > 0 { rates[index].append(Double(reply.rows) / reply.seconds) }
      }
    }
    for (index, contender) in contenders.enumerated() {
      rows[index].sentenceRate = rates[index].isEmpty ? nil : Quantiles(rates[index]).median
      finish(&rows[index], contender)
    }
    return rows
  }

  /// One after the other: two that load at once would share the CPUs.
  private func startedRows() -> [ModelRow] {
    contenders.map { contender in
      progress.show("loading \(contender.name)")
      contender.start()
      return ModelRow(
        name: contender.name, version: contender.version, call: contender.loaded?.call,
        loadSeconds: contender.loaded?.seconds)
    }
  }

  private func finish(_ row: inout ModelRow, _ contender: ModelContender) {
    row.peakBytes = contender.ask("memory", ModelQuestion(), for: ModelMemory.self)?.peakBytes
    row.refusal = contender.refusal
    contender.stop()
  }
}
